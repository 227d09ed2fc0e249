// Runs worlds, one after another, for `WorldPool`: a job comes as a message, and what became of it goes back.
import { findLeaks } from './leaks.js';
import { Simulation } from './simulation.js';
import type { WorldJob, WorldOutcome } from './world-pool.js';
import { worldOf } from './worlds.js';

process.on('message', (job: WorldJob) => void run(job).then(outcome => process.send?.(outcome)));
process.on('disconnect', () => process.exit());

async function run({ seed, rules, faults: given, lines, isForLeaks }: WorldJob): Promise<WorldOutcome> {
  if (isForLeaks) return { seed, isTimedOut: false, simulatedMs: 0, faults: [], failure: await findLeaks() };
  const { failure, faults, transcript, simulatedMs, troubleFrom } = await Simulation.run(worldOf(seed, rules, given));
  const table = lines && transcript.table({ last: lines === 'all' ? undefined : lines, since: troubleFrom });
  return { seed, failure, isTimedOut: false, simulatedMs, faults, ...(table && { table }) };
}
