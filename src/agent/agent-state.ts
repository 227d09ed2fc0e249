import type { HostList } from '../protocol/index.js';

/**
 * Where an agent stands with its servers.
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

export type IdleReason = 'removed' | 'shutdown';

/** One attempt to get a Ready link; the link keeps its number. */
export interface Dial {
  readonly id: number;
  readonly host: string;
}

export interface LinkRef extends Dial {
  /** When it became Ready. */
  readonly since: number;
}

export interface Move {
  readonly reason: MoveReason;
  /** Whom to try when the dial under way fails. */
  readonly targets: readonly string[];
}

export type MoveReason =
  /** Back to the preferred host. */
  | 'failback'
  /** The server asks for it. */
  | 'migrate'
  /** The server is silent. */
  | 'suspect'
  /** The connected host is not in the list any more. */
  | 'left-list'
  /** The server has lost our row: register anew, at the same server. */
  | 'register';

export interface AgentState {
  readonly phase: Phase;
  readonly list: HostList;
  readonly avoid: readonly string[];
  /** The value of `last.setup.completed.host`, and its hosts. */
  readonly lastCompleted: HostList | undefined;
  /** Hosts of the current cycle that are still to be tried. */
  readonly remaining: readonly string[];
  /** Full cycles without success since a link last lived for `RESET_AFTER_MS`. */
  readonly failures: number;
  readonly check: Check;
  readonly nextDialId: number;
}

/** The preferred-host check. */
export interface Check {
  /** 0 = off. */
  readonly intervalMs: number;
  readonly nextAt: number | undefined;
  /** `shuffle` checks until one check of the list has succeeded. */
  readonly done: boolean;
}

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

/** The link that carries the agent's traffic, if one is Ready. */
export function readyLink({ phase }: AgentState): LinkRef | undefined {
  return phase.kind === 'up' || phase.kind === 'moving' || phase.kind === 'settling' ? phase.link : undefined;
}

/** Whether this link may say who the agent is: the Ready one, and the dial that may take its place. */
export function hasSay(state: AgentState, id: number): boolean {
  const { phase } = state;
  return isCurrent(state, id) || ('dial' in phase && phase.dial.id === id);
}

/** Where a migration may go: every host that is not avoided, but for the one that we are on. */
export function migrationTargets(state: AgentState): readonly string[] {
  const here = readyLink(state)?.host;
  return state.list.hosts.filter(host => host !== here && !state.avoid.includes(host));
}

/** Only the newest Ready link's word counts about hosts. */
export function isCurrent(state: AgentState, id: number): boolean {
  return readyLink(state)?.id === id;
}
