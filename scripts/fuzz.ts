// npm run fuzz [-- SECONDS]: the random tests of test/fuzz again and again, each time with another seed, until the time is
// over (60 s) or one fails. A failure prints the command that repeats it.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';

const RUNS = 2_000;
const root = fileURLToPath(new URL('../..', import.meta.url));
const seconds = Number(process.argv[2] ?? process.env.MUSTER_SECONDS ?? 60);
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
