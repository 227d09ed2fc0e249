// npm run chaos:persist: an agent's process is killed while it persists, and each time its files have to be whole.
import { parseArgs } from 'node:util';
import { readArguments, wholeNumber } from '../../scripts/programs/arguments.js';
import { ProgressBar } from '../helpers/progress-bar.js';
import { runProgram } from '../helpers/test-program.js';
import { persistKills } from './persist-kills.js';

const USAGE = `Kills a process that writes agent.properties and its certificates, and looks at the files after each kill.

Usage: npm run chaos:persist [-- [--kills N] [--seed S] [--in-place]]

  --kills N    how often (1000)
  --seed S     of the moments (1)
  --in-place   a writer that writes in place: this finds it
`;

const { kills, seed, how } = readArguments(USAGE, () => {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
      'in-place': { type: 'boolean', default: false },
    },
  });
  return {
    kills: wholeNumber('--kills', values.kills, 1, 10 ** 6),
    seed: wholeNumber('--seed', values.seed, 0, 2 ** 31),
    how: values['in-place'] ? 'in-place' : 'atomic',
  } as const;
});

await runProgram(async ({ folder, signal }) => {
  const bar = new ProgressBar(kills);
  const result = await persistKills({
    ...{ kills, seed, how, signal },
    // On the disk, not in memory.
    folder: await folder('muster-persist-'),
    onKill: ({ kills: done }) => bar.tell(done, `${(done / bar.seconds).toFixed(1)} kills/s`),
  });
  bar.end();
  const counts = `old ${result.old}, new ${result.new}, a temporary file left ${result.left} times, ${Math.round(bar.seconds)} s`;
  const whole = `${result.kills} ${signal.aborted ? 'kills, then interrupted' : 'kills'}`;
  if (result.wrong === undefined) process.stdout.write(`${whole}: file whole each time: ${counts}\n`);
  else process.stdout.write(`Not whole after kill ${result.kills} (seed ${seed}): ${result.wrong}\n${counts}\n`);
  return result.wrong === undefined ? 0 : 1;
});
