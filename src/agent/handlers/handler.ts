import type { Clock } from '../../lib/clock.js';
import type { Log } from '../../lib/logger.js';
import type { Message, PacketLimits } from '../../protocol/index.js';
import type { HostUpdate } from '../agent-events.js';
import type { Arrival } from '../agent-state.js';
import type { LoopWatch } from '../commands/loop-watch.js';
import type { AgentDoctor } from '../doctor/agent-doctor.js';
import type { Resource } from '../resources/resource.js';
import type { AgentTrust } from '../trust/trust.js';

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
      /** What the server can do beyond the protocol, in its words. */
      readonly capabilities: readonly string[];
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

/** What handlers use on every link. */
export interface SharedHandlerParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly resource: Resource;
  readonly trust: AgentTrust;
  doctor(): AgentDoctor;
  readonly watch: LoopWatch;
  /**
   * A command may take this long, and as long as its own `wait` in any case. One with an id that has a `wait` may take as
   * long as that.
   */
  readonly commandTimeoutMs: number;
  /** How the Ready link came to be; undefined before the first one. */
  arrival(): Arrival | undefined;
  /** Whether a migration with this update has a host to go to. */
  canMigrate(update: HostUpdate): boolean;
  /** A server has stored the outcomes of these ids. */
  confirm(ids: readonly string[]): void;
}

/** What handlers use. */
export interface HandlerParts extends SharedHandlerParts {
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Aborts when the server does not want the commands to be carried out any more. It waits for the answers all the same. */
  readonly recall: AbortSignal;
  /** Of the packet; undefined when it has none. */
  readonly id: string | undefined;
  /** What the answers to the packet may have. */
  readonly limits: PacketLimits;
  /** A command says how far it is. */
  progress(text: string): void;
  /** The resource has not answered although the signal has aborted: nobody knows what becomes of the command. */
  abandoned(): void;
}

/** Carries out a command of one class. What it throws is answered result=false. */
export type Handler = (command: Message, parts: HandlerParts) => Outcome | Promise<Outcome>;
