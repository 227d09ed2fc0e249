import { type AgentMoveCause, type AgentMoveKind, type HostList, LIMITS, type LinkEnd } from '../protocol/index.js';

/**
 * What an agent is doing about its link.
 *
 *     waiting ─due─▶ joining ─ready─▶ up ─move─▶ moving ─ready─▶ settling ─ready again, or 5 s─▶ up, on the new host
 *        ▲             │ failed        │ lost      ├─ no target left, or heard ─▶ up, where it was
 *        └─────────────┴───────────────┘           └─ old link lost ─▶ joining, with the dial under way
 *
 *     any ─Shutdown from the server, or no zone─▶ idle
 */
export type Phase =
  | { readonly kind: 'waiting'; readonly until: number }
  | Joining
  | { readonly kind: 'up'; readonly link: LinkRef; readonly leaveAt: number | undefined }
  | Moving
  | { readonly kind: 'settling'; readonly link: LinkRef; readonly old: LinkRef; readonly until: number }
  | { readonly kind: 'idle'; readonly reason: IdleReason };

/** There is no Ready link. Several hosts may be dialled at a time, until the first TCP connection. */
export interface Joining {
  /** Its place in `Phase`. */
  readonly kind: 'joining';
  /** In the order in which they began. When one is connected, it is the only one. */
  readonly dials: readonly Dial[];
  /** When the next host is dialled beside them; undefined when none is. */
  readonly nextAt: number | undefined;
}

/** There is a Ready link, and one dial that is to replace it. */
export interface Moving {
  /** Its place in `Phase`. */
  readonly kind: 'moving';
  /** The link that is in use until the new one is Ready. */
  readonly link: LinkRef;
  /** When the server of `link` was last heard, if it does not answer any more. */
  readonly silentSince: number | undefined;
  /** The attempt that is to replace it. */
  readonly dial: Dial;
  /** Why, and where else to. */
  readonly move: Move;
}

/** Why an agent does not dial: its host was removed, or a server has shut it down. */
export type IdleReason = 'removed' | 'shutdown';

/** One attempt to get a Ready link. */
export interface Dial {
  /** The number of the dial, and of the link that comes of it. */
  readonly id: number;
  /** The entry of the host list that is dialled. */
  readonly host: string;
  /** Its TCP connection is open: TLS and Startup are under way. */
  readonly isConnected: boolean;
  /** When the server has answered Startup. From then on it may take its time until Ready. */
  readonly answeredAt: number | undefined;
  /** The certificates that were in use when it began. */
  readonly credentials: string;
  /** The host has just given the agent a certificate, and this dial presents it. */
  readonly isEnrolled: boolean;
}

/** A Ready link. */
export interface LinkRef {
  /** The number of the dial that it came of. */
  readonly id: number;
  /** The entry of the host list that it leads to. */
  readonly host: string;
  /** When it became Ready, by the clock of `StepInput.now`. */
  readonly since: number;
  /** It came of a check of the preferred host. */
  readonly isFailback: boolean;
  /** Those of its dial. */
  readonly credentials: string;
}

/** A new link is opened to another host before the old one closes. */
export interface Move {
  /** Why the agent moves. */
  readonly reason: MoveReason;
  /** The hosts to try when the current dial fails. */
  readonly targets: readonly string[];
}

/** Why an agent opens a new link while it has one. */
export type MoveReason =
  /** Back to the preferred host. */
  | 'failback'
  /** The server asks for it. */
  | 'migrate'
  /** The server does not answer. */
  | 'suspect'
  /** The connected host is no longer in the list. */
  | 'left-list'
  /** The server has lost the host's row: register anew with the same server. */
  | 'register'
  /** Other certificates are in use: register anew with the same server, to present them. */
  | 'certificates';

/** Whether a move goes to the server that the agent is on. */
export function staysOnHost(reason: MoveReason): boolean {
  return reason === 'register' || reason === 'certificates';
}

/** All that the step of an agent remembers. */
export interface AgentState {
  /** What it is doing about its link. */
  readonly phase: Phase;
  /** The host list, as agent.properties has it in `host`. */
  readonly list: HostList;
  /** Addresses not to dial, from the server. They are dialled when all others have failed. */
  readonly avoid: readonly string[];
  /** The last list of which a host was Ready, as agent.properties has it in `last.setup.completed.host`. */
  readonly lastCompleted: HostList | undefined;
  /** Hosts of the current cycle that are still to be tried. */
  readonly remaining: readonly string[];
  /** Hosts whose last dial has failed. */
  readonly failed: readonly string[];
  /** All hosts of the current cycle that were tried have refused the TCP connection at once. */
  readonly onlyRefused: boolean;
  /**
   * For the backoff: full cycles that have failed since the last link that was Ready for `RESET_AFTER_MS`. One in which
   * every host refused at once counts a quarter.
   */
  readonly failures: number;
  /** The same cycles, each counted once. */
  readonly failedCycles: number;
  /** When the preferred host is looked at next. */
  readonly check: Check;
  /** The certificates in use. A link that was opened with others is replaced. */
  readonly credentials: string;
  /** Not before this: the last attempt to do so has failed. */
  readonly presentAt: number;
  /** When to ping the server of the Ready link, beside its regular pings. */
  readonly pingAt: number | undefined;
  /** Over so long the first dial after a loss is spread at least, as the server of the last Ready link has said. */
  readonly spreadMs: number;
  /** How it has lost its last Ready link, while it has none; undefined before the first one, too. */
  readonly loss: Loss | undefined;
  /** How the Ready link came to be; of the last one, while there is none. */
  readonly arrival: Arrival | undefined;
  /** The link that a move has left, until what is in progress on it is answered. Beside it no second move begins that can wait. */
  readonly retiring: number | undefined;
  /** The number of the next dial; each has one of its own. */
  readonly nextDialId: number;
}

/** A Ready link has ended, and there was no other. */
export interface Loss {
  /** By the clock of `StepInput.now`. */
  readonly at: number;
  readonly how: LinkEnd;
}

/** How a Ready link came to be. Servers keep it as a record of the move. */
export interface Arrival {
  readonly kind: AgentMoveKind;
  readonly cause: AgentMoveCause;
  /**
   * Milliseconds without a Ready link before it; of one that a silent server was left for, since that server was last heard.
   * undefined: there was none before.
   */
  readonly gapMs: number | undefined;
}

/** The check of the preferred host. */
export interface Check {
  /** Milliseconds between checks, from the server; 0 is off. */
  readonly intervalMs: number;
  /** When the next check is due, by the clock of `StepInput.now`. */
  readonly nextAt: number | undefined;
  /** With `shuffle`, no more checks are needed: one has succeeded for this list. */
  readonly isDone: boolean;
  /** A server has asked for a check, and none has succeeded since. */
  readonly isTriggered: boolean;
  /** The interval is multiplied by this. It doubles when a failback did not last. */
  readonly damping: number;
}

/** What an agent knows at its start. */
export interface InitialState {
  readonly list: HostList;
  readonly lastCompleted: HostList | undefined;
  readonly credentials: string;
  /** Why it does not dial; undefined when it does. */
  readonly idle: IdleReason | undefined;
}

/** The state at the start of an agent. */
export function initialState({ list, lastCompleted, credentials, idle }: InitialState): AgentState {
  return {
    phase: idle ? { kind: 'idle', reason: idle } : { kind: 'waiting', until: 0 },
    list,
    avoid: [],
    lastCompleted,
    remaining: [],
    failed: [],
    onlyRefused: true,
    failures: 0,
    failedCycles: 0,
    check: { intervalMs: 0, nextAt: undefined, isDone: false, isTriggered: false, damping: 1 },
    credentials,
    presentAt: 0,
    pingAt: undefined,
    spreadMs: 0,
    loss: undefined,
    arrival: undefined,
    retiring: undefined,
    nextDialId: 1,
  };
}

/** When the next tick is due, by the clock of `StepInput.now`; undefined when nothing waits for time. */
export function nextDue(state: AgentState): number | undefined {
  const { phase, check, pingAt } = state;
  const due: (number | undefined)[] = [readyDueAt(state)];
  if (phase.kind === 'waiting' || phase.kind === 'settling') due.push(phase.until);
  if (phase.kind === 'joining') due.push(phase.nextAt);
  if (phase.kind === 'up') due.push(leaveDueAt(state, phase), check.nextAt, presentDueAt(state, phase.link));
  if (readyLink(state) !== undefined) due.push(pingAt);
  const known = due.filter(at => at !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/**
 * The Ready link over which servers reach the agent; undefined while there is none.
 * @example
 * console.log(readyLink(agent.state)?.host);
 */
export function readyLink({ phase }: AgentState): LinkRef | undefined {
  return phase.kind === 'up' || phase.kind === 'moving' || phase.kind === 'settling' ? phase.link : undefined;
}

/**
 * When a link is due to be replaced by one that presents the certificates in use; undefined when it presents them, when the
 * agent is to leave its host anyway, and while the link before it retires.
 */
export function presentDueAt(
  { credentials, presentAt, list, retiring }: AgentState,
  link: LinkRef,
): number | undefined {
  const isDue = link.credentials !== credentials && list.hosts.includes(link.host) && retiring === undefined;
  return isDue ? presentAt : undefined;
}

/** When the host of the link, which the list does not have, is to be left; undefined also while the link before it retires. */
export function leaveDueAt({ retiring }: AgentState, { leaveAt }: Phase & { kind: 'up' }): number | undefined {
  return retiring === undefined ? leaveAt : undefined;
}

/** The dials under way. */
export function dialsOf({ phase }: AgentState): readonly Dial[] {
  if (phase.kind === 'joining') return phase.dials;
  return phase.kind === 'moving' ? [phase.dial] : [];
}

/** Whether a link may set the agent's identity: the Ready link may, and a dial that may replace it. */
export function hasSay(state: AgentState, id: number): boolean {
  return isCurrent(state, id) || dialsOf(state).some(dial => dial.id === id);
}

/** The hosts to which a migration may go: those that are not avoided, except the connected one. */
export function migrationTargets(state: AgentState): readonly string[] {
  const here = readyLink(state)?.host;
  return state.list.hosts.filter(host => host !== here && !state.avoid.includes(host));
}

/** Whether a link is the newest Ready one. Only that one may change the host list. */
export function isCurrent(state: AgentState, id: number): boolean {
  return readyLink(state)?.id === id;
}

/**
 * Until when a server that has answered Startup has time to become Ready; undefined when none has answered. It is a
 * short time while another host may be well and no Ready link is.
 */
export function readyDueAt(state: AgentState): number | undefined {
  const answered = dialsOf(state).find(({ answeredAt }) => answeredAt !== undefined);
  return answered?.answeredAt === undefined ? undefined : answered.answeredAt + readyLimitMs(state);
}

/** How long a server that has answered Startup may take until Ready. */
export function readyLimitMs({ phase, remaining, list }: AgentState): number {
  switch (phase.kind) {
    case 'joining':
      return remaining.length === 0 ? LIMITS.readyMs : LIMITS.readyWithOthersMs;
    case 'moving': {
      const { link, dial, move, silentSince } = phase;
      const others = list.hosts.filter(host => host !== link.host && host !== dial.host);
      const untried = move.reason === 'suspect' ? move.targets : others;
      return silentSince !== undefined && untried.length > 0 ? LIMITS.readyWithOthersMs : LIMITS.readyMs;
    }
    default:
      return LIMITS.readyMs;
  }
}
