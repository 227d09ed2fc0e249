import type { LinkEnd } from '../protocol/index.js';

/**
 * What a server says about hosts in Ready, SetupMSList, MigrateAgentConnection and PingAnswer. A field that is
 * undefined changes nothing.
 */
export interface HostUpdate {
  readonly hosts?: readonly string[] | undefined;
  readonly algorithm?: string | undefined;
  readonly avoid?: readonly string[] | undefined;
  readonly checkIntervalSeconds?: number | undefined;
  /** Over so long the agents of this server spread their first dials when it is lost, milliseconds. */
  readonly spreadMs?: number | undefined;
}

/**
 * What happens to an agent: the input of `agent-step`. `id` is the number of a dial and of the link that comes of it.
 */
export type AgentEvent =
  /** The time of `nextDue` has come. */
  | { readonly kind: 'tick' }
  /** The TCP connection of a dial is open. Nothing has been sent on it. */
  | { readonly kind: 'connected'; readonly id: number }
  /** The server has answered Startup. Ready is what it has to say next. */
  | { readonly kind: 'startup-answered'; readonly id: number }
  /** An address of the dialled name has failed after the TCP connection. The dial goes on with the next address. */
  | { readonly kind: 'address-failed'; readonly id: number; readonly why: string }
  /** A dial has failed before Ready. */
  | { readonly kind: 'dial-failed'; readonly id: number; readonly why: string; readonly how: DialFailure }
  /** The dialled host is the server to which the agent is connected. */
  | { readonly kind: 'same-server'; readonly id: number }
  /** A ReadyCommand with a host id and without a refusal has come. The first one makes the link Ready. */
  | { readonly kind: 'ready'; readonly id: number; readonly update: HostUpdate }
  /** A link that was told to retire has ended. */
  | { readonly kind: 'retired'; readonly id: number }
  /** A Ready link has ended, `why` in words and `how` as a code. */
  | { readonly kind: 'lost'; readonly id: number; readonly why: string; readonly how: LinkEnd }
  /** SetupMSList, or an avoid list. `checkNow`: check the preferred host at once. */
  | { readonly kind: 'update'; readonly id: number; readonly update: HostUpdate; readonly checkNow: boolean }
  /** The server asks the agent to move to another server. */
  | { readonly kind: 'migrate'; readonly id: number; readonly update: HostUpdate }
  /** The server has not answered for `silentMs` milliseconds. */
  | { readonly kind: 'suspect'; readonly id: number; readonly silentMs: number }
  /** A suspect server has sent something. */
  | { readonly kind: 'heard'; readonly id: number }
  /** Other certificates are in use than before. Equal ones have equal texts. */
  | { readonly kind: 'credentials'; readonly credentials: string }
  /** The server has lost the host's row. */
  | { readonly kind: 'send-startup'; readonly id: number }
  /** The server tells the agent to stop. */
  | { readonly kind: 'shutdown'; readonly id: number; readonly removeHost: boolean };

/**
 * How a dial has failed: the server has refused this agent; nothing listens at the host; the server has given the agent a
 * certificate, with which it is to come back; or in any other way.
 */
export type DialFailure = 'agent-refused' | 'connection-refused' | 'enrolled' | 'other';

/** What a step wants done: the output of `agent-step`, beside the next state. */
export type Effect =
  /** Look up a host and open a TCP connection to it. Nothing is sent on it before `proceed`. */
  | {
      readonly kind: 'dial';
      readonly id: number;
      readonly host: string;
      /** The field `connectionTransferred` of Startup. */
      readonly transferred: boolean;
      /** The link whose server must not be reached by this dial. */
      readonly unlike: number | undefined;
      /** The agent wants to leave that server: of a name that has its address, the other addresses are tried. */
      readonly leavesServer: boolean;
      /** Addresses of the name are tried beside each other: there is no Ready link. */
      readonly isUrgent: boolean;
    }
  /** Register the agent over the TCP connection of a dial. */
  | { readonly kind: 'proceed'; readonly id: number }
  /** The server of a dial has had its time: go on with the next address of the name, or fail. */
  | { readonly kind: 'give-up'; readonly id: number; readonly why: string }
  /** End a dial or a link at once. */
  | { readonly kind: 'drop'; readonly id: number; readonly why: string }
  /** End a link that a newer one replaces, once the commands in progress on it are answered. */
  | { readonly kind: 'retire'; readonly id: number }
  /** Send a ping on this link now. */
  | { readonly kind: 'ping'; readonly id: number }
  /** Send no more pings on this link. Its server will close it. */
  | { readonly kind: 'quiesce'; readonly id: number }
  /** Write properties. */
  | { readonly kind: 'persist'; readonly changes: Readonly<Record<string, string>> }
  | {
      readonly kind: 'log';
      readonly level: 'error' | 'warn' | 'info';
      readonly message: string;
      readonly fields?: Readonly<Record<string, string | number>>;
    };
