/**
 * What a server says about hosts in Ready, SetupMSList, MigrateAgentConnection and PingAnswer. A field that is
 * undefined changes nothing.
 */
export interface HostUpdate {
  readonly hosts?: readonly string[] | undefined;
  readonly algorithm?: string | undefined;
  readonly avoid?: readonly string[] | undefined;
  readonly checkIntervalSeconds?: number | undefined;
}

/**
 * What happens to an agent: the input of `agent-step`. `id` is the number of a dial and of the link that comes of it.
 */
export type AgentEvent =
  /** The time of `nextDue` has come. */
  | { readonly kind: 'tick' }
  /** A dial has failed before Ready. `refused`: the server has refused this agent. */
  | { readonly kind: 'dial-failed'; readonly id: number; readonly why: string; readonly refused: boolean }
  /** The dialled host is the server to which the agent is connected. */
  | { readonly kind: 'same-server'; readonly id: number }
  /** A ReadyCommand with a host id and without a refusal has come. The first one makes the link Ready. */
  | { readonly kind: 'ready'; readonly id: number; readonly update: HostUpdate }
  /** A Ready link has ended. */
  | { readonly kind: 'lost'; readonly id: number; readonly why: string }
  /** SetupMSList, or an avoid list. `checkNow`: check the preferred host at once. */
  | { readonly kind: 'update'; readonly id: number; readonly update: HostUpdate; readonly checkNow: boolean }
  /** The server asks the agent to move to another server. */
  | { readonly kind: 'migrate'; readonly id: number; readonly update: HostUpdate }
  /** The server has not answered for `silentMs` milliseconds. */
  | { readonly kind: 'suspect'; readonly id: number; readonly silentMs: number }
  /** A suspect server has sent something. */
  | { readonly kind: 'heard'; readonly id: number }
  /** The server has lost the host's row. */
  | { readonly kind: 'send-startup'; readonly id: number }
  /** The server tells the agent to stop. */
  | { readonly kind: 'shutdown'; readonly id: number; readonly removeHost: boolean };

/** What a step wants done: the output of `agent-step`, beside the next state. */
export type Effect =
  /** Open a connection, and register the agent over it. */
  | {
      readonly kind: 'dial';
      readonly id: number;
      readonly host: string;
      /** The field `connectionTransferred` of Startup. */
      readonly transferred: boolean;
      /** The link whose server must not be reached by this dial. */
      readonly unlike: number | undefined;
    }
  /** End a dial or a link at once. */
  | { readonly kind: 'drop'; readonly id: number; readonly why: string }
  /** End a link that a newer one replaces, once the commands in progress on it are answered. */
  | { readonly kind: 'retire'; readonly id: number }
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
