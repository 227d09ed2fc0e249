// npm run fuzz [-- SECONDS]: the random tests of test/fuzz again and again, each time with another seed, until the time is
// over (60 s) or one fails. A failure prints the command that repeats it.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const RUNS = 2_000;
const root = fileURLToPath(new URL('../..', import.meta.url));
const seconds = Number(process.argv[2] ?? process.env.MUSTER_SECONDS ?? 60);
const files = readdirSync(join(root, 'test/fuzz')).map(name => join('test/fuzz', name));
const until = performance.now() + seconds * 1_000;

for (let rounds = 1; ; rounds++) {
  const seed = randomInt(2 ** 31);
  const env = { MUSTER_SEED: String(seed), MUSTER_RUNS: String(RUNS) };
  const { status } = spawnSync(join(root, 'node_modules/.bin/tap'), ['--reporter=terse', '--jobs=1', ...files], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: 'inherit',
  });
  if (status !== 0) {
    console.error(`Failed. Again: MUSTER_SEED=${seed} MUSTER_RUNS=${RUNS} npx tap ${files.join(' ')}`);
    process.exitCode = 1;
    break;
  }
  console.log(`Round ${rounds} passed (seed ${seed}, ${RUNS} runs).`);
  if (performance.now() >= until) break;
}
