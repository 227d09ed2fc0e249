import type { Message } from '../../protocol/index.js';
import type { HostUpdate } from '../agent-events.js';
import type { Resource } from '../resource.js';

/** What a command means for the agent, beside its answer. It takes effect once the answer is out. */
export type Consequence =
  | {
      readonly kind: 'ready';
      readonly identity: HostIdentity;
      readonly update: HostUpdate;
      /** What the server says about hosts that cannot be used, and why. */
      readonly objection?: string;
    }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'update'; readonly update: HostUpdate; readonly checkNow: boolean }
  | { readonly kind: 'migrate'; readonly update: HostUpdate }
  | { readonly kind: 'shutdown'; readonly removeHost: boolean };

/** Who the servers say this host is. */
export interface HostIdentity {
  readonly hostId: number;
  readonly hostUuid: string | undefined;
  readonly hostName: string | undefined;
}

export interface Outcome {
  readonly answer: Message;
  readonly consequence?: Consequence;
}

export interface HandlerContext {
  readonly resource: Resource;
  /** Aborts when the link ends. */
  readonly signal: AbortSignal;
  /** Whether a migration with this update would have anywhere to go. */
  canMigrate(update: HostUpdate): boolean;
}

export type Handler = (command: Message, context: HandlerContext) => Outcome | Promise<Outcome>;
