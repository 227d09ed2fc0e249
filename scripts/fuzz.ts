// npm run fuzz [-- SECONDS]: the random tests of test/fuzz again and again, each time with another seed, until the time is
// over (60 s) or one fails. A failure prints the command that repeats it.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readArguments, wholeNumber } from './programs/arguments.js';

const USAGE = `Runs the random tests of test/fuzz again and again, each time with another seed, until one fails.

Usage: npm run fuzz [-- SECONDS]

  SECONDS   no round begins after that (60)
`;

const RUNS = 2_000;
const root = fileURLToPath(new URL('../..', import.meta.url));
const seconds = readArguments(USAGE, () => {
  const { positionals } = parseArgs({ allowPositionals: true });
  if (positionals.length > 1) throw new Error('One number of seconds is allowed.');
  return wholeNumber('SECONDS', positionals[0] ?? process.env.MUSTER_SECONDS ?? '60', 0, 10 ** 7);
});
const tests = fileURLToPath(new URL('test.js', import.meta.url));
const until = performance.now() + seconds * 1_000;

for (let rounds = 1; ; rounds++) {
  const seed = randomInt(2 ** 31);
  const env = { MUSTER_SEED: String(seed), MUSTER_RUNS: String(RUNS) };
  const { status } = spawnSync(process.execPath, [tests, '--brief', '--jobs=1', 'test/fuzz'], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: 'inherit',
  });
  if (status !== 0) {
    console.error(`Failed. Again: MUSTER_SEED=${seed} MUSTER_RUNS=${RUNS} npm test -- test/fuzz`);
    process.exitCode = 1;
    break;
  }
  console.log(`Round ${rounds} passed (seed ${seed}, ${RUNS} runs).`);
  if (performance.now() >= until) break;
}
