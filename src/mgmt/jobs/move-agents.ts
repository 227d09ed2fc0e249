import { sharedAbortController } from '../../lib/abort.js';
import { type Clock, delay } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { amountThat } from '../../lib/text/amount.js';
import { peerTextIn } from '../../lib/text/peer-text.js';
import { MigrateAgentConnectionAnswer, MigrateAgentConnectionCommand } from '../../protocol/index.js';
import type { Attache } from '../agents/attache.js';
import type { AgentList } from '../lists/agent-list.js';
import type { LeftReason, ServerMeters } from '../metrics/server-metrics.js';
import { Pace } from './pace.js';

/** Agents that are to go to another server, and how they are told. */
export interface MoveParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly meters: Pick<ServerMeters, 'moveRequests'>;
  /** Those that are here still. */
  staying(): readonly Attache[];
  /** Links that may become Ready yet: it is not over before they have. @default 0 */
  arriving?(): number;
  /** No server can take agents now: nothing ends, and the time does not go on. @default false */
  isPaused?(): boolean;
  /** Where the agent would go as things are now. */
  target(attache: Attache): MoveTarget;
  /** Whether the server with this address takes agents, as far as is known. */
  isUp(address: string): boolean;
  /** Tells it to go. @returns why it says that it does not; undefined: it goes @throws Error, LinkError: no good answer */
  ask(attache: Attache): Promise<string | undefined>;
  /** Agents a second for each target. */
  rate(): number;
  onProgress(text: string): void;
  /** At each look: how many are here still, by why. @default nobody counts them */
  onLeft?(left: ReadonlyMap<LeftReason, number>): void;
}

/** The address of a server; or why the agent is not told to go yet, for the report. */
export type MoveTarget = { readonly address: string } | { readonly none: string };

export interface MoveOptions {
  readonly timeoutMs: number;
  /** How often an agent is asked at most. @default without end, until the time is out */
  readonly tries?: number;
  readonly signal: AbortSignal;
}

export interface MoveReport {
  /** Those whose links have ended. */
  readonly moved: number;
  readonly left: readonly LeftAgent[];
}

export interface LeftAgent {
  readonly hostid: string;
  readonly name: string;
  readonly why: string;
}

/** An agent that has answered, with yes or no, is asked again after this if it is still here. */
const ASK_AGAIN_MS = 15_000;
/** An agent that has no target is looked at again after this. */
const NO_TARGET_AGAIN_MS = 5_000;
const LOOK_MS = 250;
const PROGRESS_MS = 2_000;
/** Lists that are computed before others get a turn. */
const LISTS_PER_TURN = 500;
/** Agents that are looked at before others get a turn. */
const LOOKED_PER_TURN = 5_000;
const WAIT_SECONDS = 60;

/** What is known of one agent during a move. */
interface Note {
  /** Why it is here still, for people and as a code. */
  why: string;
  reason: LeftReason;
  /** The address of its target when that was last computed. */
  target: string | undefined;
  tries: number;
  isAsking: boolean;
  /** Not before this moment. */
  again: number;
}

/**
 * Tells agents to go, at a pace that the targets can take, and tells again whoever stays. What each is told is computed in
 * the moment in which its turn comes: by then servers and settings may be others.
 * Ends when none is left, all have been told often enough, the time is out, or `signal` aborts.
 */
export async function moveAgents(parts: MoveParts, options: MoveOptions): Promise<MoveReport> {
  const { clock } = parts;
  const { timeoutMs, tries = Number.POSITIVE_INFINITY, signal } = options;
  let deadline = clock.now() + timeoutMs;
  const pace = new Pace();
  const notes = new Map<Attache, Note>();
  // No agent is told after the end.
  const end = sharedAbortController();
  let saidAt = clock.now();
  for (;;) {
    const staying = parts.staying();
    let looked = 0;
    for (const attache of staying) {
      if (!notes.has(attache)) {
        notes.set(attache, newNote());
      }
      if (++looked % LOOKED_PER_TURN === 0) await clock.turn();
    }
    parts.onLeft?.(countReasons(staying, notes));
    const isPaused = parts.isPaused?.() ?? false;
    const isOut = signal.aborted || (!isPaused && clock.now() >= deadline);
    const isDone =
      !isPaused && isThrough(staying, notes, tries, clock.now()) && (staying.length > 0 || !parts.arriving?.());
    if (isOut || isDone) {
      end.abort();
      return { moved: notes.size - staying.length, left: staying.map(attache => leftAgent(attache, notes)) };
    }
    let computed = 0;
    for (const attache of staying) {
      if (++looked % LOOKED_PER_TURN === 0) await clock.turn();
      const note = notes.get(attache);
      if (note === undefined || note.isAsking || note.tries >= tries || clock.now() < note.again) continue;
      const isInLine = note.target !== undefined && pace.waitMs(note.target, clock.now()) >= LOOK_MS;
      if (isInLine && note.target !== undefined && parts.isUp(note.target)) continue;
      if (++computed % LISTS_PER_TURN === 0) await clock.turn();
      const target = parts.target(attache);
      if ('none' in target) {
        note.target = undefined;
        note.why = target.none;
        note.reason = 'no-target';
        note.tries++;
        note.again = clock.now() + NO_TARGET_AGAIN_MS;
        continue;
      }
      note.target = target.address;
      if (pace.waitMs(note.target, clock.now()) >= LOOK_MS) continue;
      void askInTurn(parts, attache, note, pace.take(note.target, parts.rate(), clock.now()), end.signal);
    }
    if (clock.now() - saidAt >= PROGRESS_MS) {
      saidAt = clock.now();
      parts.onProgress(progressText(notes.size - staying.length, countReasons(staying, notes)));
    }
    const from = clock.now();
    await delay(clock, isPaused ? LOOK_MS : Math.min(LOOK_MS, Math.max(0, deadline - from)), signal);
    if (isPaused) deadline += clock.now() - from;
  }
}

function newNote(): Note {
  const nothing = { target: undefined, tries: 0, isAsking: false, again: 0 };
  return { why: 'it was not asked yet', reason: 'not-asked', ...nothing };
}

function countReasons(staying: readonly Attache[], notes: ReadonlyMap<Attache, Note>): ReadonlyMap<LeftReason, number> {
  const counts = new Map<LeftReason, number>();
  for (const attache of staying) {
    const reason = notes.get(attache)?.reason ?? 'not-asked';
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return counts;
}

const REASON_TEXTS = {
  'not-asked': 'not asked yet',
  'no-target': 'no server that could take them',
  'no-answer': 'no answer yet',
  stayed: 'asked, and stayed',
  refused: 'refused',
  failed: 'could not be asked',
} as const satisfies Record<LeftReason, string>;

function progressText(moved: number, left: ReadonlyMap<LeftReason, number>): string {
  const reasons = [...left].map(([reason, count]) => `${REASON_TEXTS[reason]}: ${count}`);
  const count = [...left.values()].reduce((sum, one) => sum + one, 0);
  return `${movedText(moved, count)}${count === 0 ? '' : ` (${reasons.join(', ')})`}`;
}

/** How many agents have gone, and how many have not. */
export function movedText(moved: number, left: number): string {
  const rest = left === 0 ? 'none is' : left === 1 ? '1 is' : `${left.toLocaleString('en-US')} are`;
  return `${amountThat(moved, 'agent', ['has', 'have'])} moved, ${rest} left`;
}

/** None is left, or all that are have been told often enough, and had the time to go. */
function isThrough(
  staying: readonly Attache[],
  notes: ReadonlyMap<Attache, Note>,
  tries: number,
  now: number,
): boolean {
  return staying.every(attache => {
    const note = notes.get(attache);
    return note !== undefined && note.tries >= tries && !note.isAsking && now >= note.again;
  });
}

async function askInTurn(
  parts: MoveParts,
  attache: Attache,
  note: Note,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log, meters } = parts;
  note.isAsking = true;
  await delay(clock, waitMs, signal);
  if (signal.aborted || attache.link.closed) return;
  note.tries++;
  note.why = 'it has not answered yet';
  note.reason = 'no-answer';
  try {
    const no = await parts.ask(attache);
    note.why = no === undefined ? 'it was asked, and stayed' : `it says: ${no}`;
    note.reason = no === undefined ? 'stayed' : 'refused';
    meters.moveRequests.add({ result: no === undefined ? 'goes' : 'refused' });
  } catch (error) {
    // A link that has ended has done what was asked.
    meters.moveRequests.add({ result: attache.link.closed ? 'goes' : 'failed' });
    if (!attache.link.closed) {
      note.why = reasonOf(error);
      note.reason = 'failed';
    }
  }
  note.isAsking = false;
  note.again = clock.now() + ASK_AGAIN_MS;
  log.debug('Asked an agent to move', { hostId: attache.host.id, outcome: note.why });
}

function leftAgent(attache: Attache, notes: ReadonlyMap<Attache, Note>): LeftAgent {
  const { host } = attache;
  return { hostid: host.uuid, name: host.name, why: notes.get(attache)?.why ?? 'it came only now' };
}

/** @returns why the agent says that it does not go @throws LinkError */
export async function askToMigrate(attache: Attache, list: AgentList): Promise<string | undefined> {
  const command = MigrateAgentConnectionCommand.encode({
    msList: list.hosts,
    avoidMsList: list.avoid,
    lbAlgorithm: list.algorithm,
    lbCheckInterval: list.checkIntervalSeconds,
    wait: WAIT_SECONDS,
  });
  const { messages } = await attache.ask([command]);
  const [answer] = messages;
  // Whether it goes or not, it has taken the list.
  if (answer !== undefined && MigrateAgentConnectionAnswer.is(answer)) attache.held = list;
  if (answer?.fields.result === true) return undefined;
  return peerTextIn(answer?.fields.details) ?? 'no';
}
