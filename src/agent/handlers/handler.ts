import type { Message } from '../../protocol/index.js';
import type { HostUpdate } from '../agent-events.js';
import type { Resource } from '../resource.js';
import type { Trust } from '../trust/trust.js';

/**
 * What a command means for the agent, beside its answer. It takes effect after the answer is sent. `objections` say what of
 * the command is not used.
 */
export type Consequence =
  | {
      readonly kind: 'ready';
      readonly identity: HostIdentity;
      /** Unpacked bytes of one packet on the link, as the server says; undefined: it does not. */
      readonly packetMaxBytes: number | undefined;
      readonly update: HostUpdate;
      readonly objections: readonly string[];
    }
  | { readonly kind: 'refused'; readonly why: string }
  | {
      readonly kind: 'update';
      readonly update: HostUpdate;
      readonly checkNow: boolean;
      readonly objections: readonly string[];
    }
  | { readonly kind: 'migrate'; readonly update: HostUpdate; readonly objections: readonly string[] }
  | { readonly kind: 'shutdown'; readonly removeHost: boolean }
  /** Another certificate is in use. */
  | { readonly kind: 'certificate' };

/** The ids and the name that servers give to this host. */
export interface HostIdentity {
  readonly hostId: number;
  readonly hostUuid?: string | undefined;
  readonly hostName?: string | undefined;
}

/** The result of one command. */
export interface Outcome {
  readonly answer: Message;
  readonly consequence?: Consequence;
}

/** What handlers may use. */
export interface HandlerParts {
  readonly resource: Resource;
  readonly trust: Trust;
  /** Aborts when the link ends. */
  readonly signal: AbortSignal;
  /** Whether a migration with this update has a host to go to. */
  canMigrate(update: HostUpdate): boolean;
}

/** Carries out a command of one class. What it throws is answered result=false. */
export type Handler = (command: Message, parts: HandlerParts) => Outcome | Promise<Outcome>;
