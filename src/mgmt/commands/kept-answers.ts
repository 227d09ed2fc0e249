import { keptMessages } from '../../protocol/index.js';
import type { KeptAnswer } from '../agents/conversation.js';
import type { NewCommandOutcome, Store } from '../store/store.js';
import { readCommandId } from './command-run.js';
import { isUnsupported } from './outcome.js';
import { storedOutcome } from './stored-outcome.js';

export interface KeptAnswersParts {
  readonly store: Pick<Store, 'commandOutcomes'>;
  readonly msid: number;
}

/**
 * Writes what an agent has kept into the jobs that it belongs to, whichever server carries those out. Where nobody knows so
 * far what became of a command, it is known then.
 * @param hostId of the agent: it speaks of its own commands alone
 * @returns the ids that it need not keep: their outcome is stored, or no job is waiting for it
 * @throws StoreError
 */
export async function takeKeptAnswers(
  { store, msid }: KeptAnswersParts,
  hostId: number,
  kept: readonly KeptAnswer[],
): Promise<readonly string[]> {
  const byJob = new Map<string, NewCommandOutcome>();
  for (const entry of kept) {
    const id = readCommandId(entry.commandId ?? '');
    // Its number in `id` may be a host's that the agent was before.
    if (id?.hostId === hostId) byJob.set(id.job, outcomeOf(entry, hostId, msid));
  }
  for (const [job, outcome] of byJob) await store.commandOutcomes(job, [outcome], 'agent');
  return kept.flatMap(({ commandId }) => (commandId === undefined ? [] : [commandId]));
}

function outcomeOf({ answers, unknown }: KeptAnswer, hostId: number, msid: number): NewCommandOutcome {
  const of = { hostId, msid, durationMs: null };
  if (answers === undefined) return storedOutcome({ kind: 'unknown', reason: unknown ?? 'the agent cannot say' }, of);
  try {
    const messages = keptMessages(answers);
    return storedOutcome({ kind: isUnsupported(messages) ? 'unsupported' : 'answered', messages }, of);
  } catch {
    return storedOutcome({ kind: 'unknown', reason: 'the answer that the agent has kept cannot be read' }, of);
  }
}
