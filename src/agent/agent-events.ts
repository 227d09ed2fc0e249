/** What happens to an agent, and what its step wants done: the input and the output of `agent-step`. */

/** What a server says about hosts: in Ready, SetupMSList, MigrateAgentConnection and PingAnswer. What is undefined changes nothing. */
export interface HostUpdate {
  readonly hosts?: readonly string[] | undefined;
  readonly algorithm?: string | undefined;
  readonly avoid?: readonly string[] | undefined;
  readonly checkIntervalSeconds?: number | undefined;
}

export type AgentEvent =
  /** The time of `nextDue` has come. */
  | { readonly kind: 'tick' }
  /** `refused`: the server answered, and does not want this agent. */
  | { readonly kind: 'dial-failed'; readonly id: number; readonly why: string; readonly refused: boolean }
  /** The dialled host is the server that we are on. */
  | { readonly kind: 'same-server'; readonly id: number }
  /** A ReadyCommand with a host id and no refusal: the first one makes the link Ready. */
  | { readonly kind: 'ready'; readonly id: number; readonly update: HostUpdate }
  | { readonly kind: 'lost'; readonly id: number; readonly why: string }
  | { readonly kind: 'update'; readonly id: number; readonly update: HostUpdate; readonly checkNow: boolean }
  | { readonly kind: 'migrate'; readonly id: number; readonly update: HostUpdate }
  | { readonly kind: 'suspect'; readonly id: number; readonly silentMs: number }
  /** A suspect server speaks. */
  | { readonly kind: 'heard'; readonly id: number }
  | { readonly kind: 'send-startup'; readonly id: number }
  | { readonly kind: 'shutdown'; readonly id: number; readonly removeHost: boolean };

export type Effect =
  | {
      readonly kind: 'dial';
      readonly id: number;
      readonly host: string;
      /** Startup says connectionTransferred. */
      readonly transferred: boolean;
      /** The link whose server the dial must not reach. */
      readonly unlike: number | undefined;
    }
  /** Give up a dial or a link at once. */
  | { readonly kind: 'drop'; readonly id: number; readonly why: string }
  /** End a link that a newer one replaces: by FIN, when the commands in progress on it are answered. */
  | { readonly kind: 'retire'; readonly id: number }
  /** No more pings on this link, which its server will close. */
  | { readonly kind: 'quiesce'; readonly id: number }
  /** Properties to write. */
  | { readonly kind: 'persist'; readonly changes: Readonly<Record<string, string>> }
  | {
      readonly kind: 'log';
      readonly level: 'error' | 'warn' | 'info';
      readonly message: string;
      readonly fields?: Readonly<Record<string, string | number>>;
    };
