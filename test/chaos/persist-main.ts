// npm run chaos:persist: an agent's process is killed while it persists, and each time its files have to be whole.
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/lib/clock.js';
import { persistKills } from './persist-kills.js';

const USAGE = `Kills a process that writes agent.properties and its certificates, and looks at the files after each kill.

Usage: npm run chaos:persist [-- [--kills N] [--seed S] [--in-place]]

  --kills N    @default 1000
  --seed S     of the moments; @default 1
  --in-place   a writer that writes in place: this finds it
`;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    'in-place': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(USAGE);
else {
  // On the disk, not in memory.
  const folder = await mkdtemp(join(tmpdir(), 'muster-persist-'));
  const startedAt = systemClock.now();
  const seconds = () => `${Math.round((systemClock.now() - startedAt) / 1_000)} s`;
  const result = await persistKills({
    kills: Number(values.kills),
    seed: Number(values.seed),
    folder,
    how: values['in-place'] ? 'in-place' : 'atomic',
    onKill: ({ kills }) => void (kills % 50 === 0 && process.stderr.write(`${kills} kills in ${seconds()}\n`)),
  });
  rmSync(folder, { recursive: true });
  const counts = `old ${result.old}, new ${result.new}, a temporary file left ${result.left} times, ${seconds()}`;
  if (result.wrong === undefined) process.stdout.write(`${result.kills} kills: file whole each time: ${counts}\n`);
  else process.stdout.write(`Not whole after kill ${result.kills} (seed ${values.seed}): ${result.wrong}\n${counts}\n`);
  process.exitCode = result.wrong === undefined ? 0 : 1;
}
