import type { HostList } from '../protocol/index.js';

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
  | { readonly kind: 'joining'; readonly dial: Dial }
  | { readonly kind: 'up'; readonly link: LinkRef; readonly leaveAt: number | undefined }
  | { readonly kind: 'moving'; readonly link: LinkRef; readonly dial: Dial; readonly move: Move }
  | { readonly kind: 'settling'; readonly link: LinkRef; readonly old: LinkRef; readonly until: number }
  | { readonly kind: 'idle'; readonly reason: IdleReason };

/** Why an agent does not dial: its host was removed, or a server has shut it down. */
export type IdleReason = 'removed' | 'shutdown';

/** One attempt to get a Ready link. */
export interface Dial {
  /** The number of the dial, and of the link that comes of it. */
  readonly id: number;
  readonly host: string;
}

/** A Ready link. */
export interface LinkRef extends Dial {
  /** When it became Ready, by the clock of `Env.now`. */
  readonly since: number;
}

/** A new link is opened to another host before the old one closes. */
export interface Move {
  readonly reason: MoveReason;
  /** The hosts to try when the current dial fails. */
  readonly targets: readonly string[];
}

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
  | 'register';

/** All that the step of an agent remembers. */
export interface AgentState {
  readonly phase: Phase;
  /** The host list, as agent.properties has it in `host`. */
  readonly list: HostList;
  /** Addresses not to dial, from the server. They are dialled when all others have failed. */
  readonly avoid: readonly string[];
  /** The last list of which a host was Ready, as agent.properties has it in `last.setup.completed.host`. */
  readonly lastCompleted: HostList | undefined;
  /** Hosts of the current cycle that are still to be tried. */
  readonly remaining: readonly string[];
  /** Full cycles that have failed since the last link that was Ready for `RESET_AFTER_MS`. */
  readonly failures: number;
  readonly check: Check;
  readonly nextDialId: number;
}

/** The check of the preferred host. */
export interface Check {
  /** Milliseconds between checks, from the server; 0 is off. */
  readonly intervalMs: number;
  /** When the next check is due, by the clock of `Env.now`. */
  readonly nextAt: number | undefined;
  /** With `shuffle`, no more checks are needed: one has succeeded for this list. */
  readonly done: boolean;
}

/** The state at the start of an agent. @param idle why it does not dial; undefined when it does */
export function initialState(list: HostList, lastCompleted: HostList | undefined, idle?: IdleReason): AgentState {
  return {
    phase: idle ? { kind: 'idle', reason: idle } : { kind: 'waiting', until: 0 },
    list,
    avoid: [],
    lastCompleted,
    remaining: [],
    failures: 0,
    check: { intervalMs: 0, nextAt: undefined, done: false },
    nextDialId: 1,
  };
}

/** When the next tick is due, by the clock of `Env.now`; undefined when nothing waits for time. */
export function nextDue({ phase, check }: AgentState): number | undefined {
  const due: number[] = [];
  if (phase.kind === 'waiting' || phase.kind === 'settling') due.push(phase.until);
  if (phase.kind === 'up') {
    if (phase.leaveAt !== undefined) due.push(phase.leaveAt);
    if (check.nextAt !== undefined) due.push(check.nextAt);
  }
  return due.length === 0 ? undefined : Math.min(...due);
}

/**
 * The Ready link over which servers reach the agent; undefined while there is none.
 * @example
 * console.log(readyLink(agent.state)?.host);
 */
export function readyLink({ phase }: AgentState): LinkRef | undefined {
  return phase.kind === 'up' || phase.kind === 'moving' || phase.kind === 'settling' ? phase.link : undefined;
}

/** Whether a link may set the agent's identity: the Ready link may, and the dial that may replace it. */
export function hasSay(state: AgentState, id: number): boolean {
  const { phase } = state;
  return isCurrent(state, id) || ('dial' in phase && phase.dial.id === id);
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
