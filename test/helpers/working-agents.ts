// Agents in a process of its own, whose commands take a while and are written down independently of the journal: a line when
// one begins, and one when it ends. Each beginning is told on stdout as well.
// Arguments: the folder of all agents, the host list, the port, the number of the first agent, how many there are.
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { defineResource, startAgent } from '../../src/agent/index.js';
import { delay, systemClock } from '../../src/lib/clock.js';
import { silentLog } from '../../src/lib/logger.js';

const [folder = '', host = '', port = '', first = '', count = ''] = process.argv.slice(2);
const runs = join(folder, 'runs');
let serial = 0;

function note(word: 'begun' | 'ended', id: string | undefined, agent: string, run: string): void {
  appendFileSync(runs, `${word} ${id} ${agent} ${run} ${Math.round(systemClock.wallTime())}\n`);
}

for (let number = Number(first); number < Number(first) + Number(count); number++) {
  const name = `agent-${number}`;
  const own = join(folder, name);
  mkdirSync(own, { recursive: true });
  await startAgent({
    file: join(own, 'agent.properties'),
    overrides: { host, port, guid: name, 'backoff.seconds': '1' },
    log: silentLog,
    resource: defineResource({
      name: 'R',
      startup: () => ({ name }),
      commands: {
        'com.example.WorkCommand': async ({ ms }, { id }) => {
          const run = `${process.pid}/${++serial}`;
          note('begun', id, name, run);
          process.stdout.write('begun\n');
          await delay(systemClock, Number(ms));
          note('ended', id, name, run);
          return { result: true, details: run };
        },
      },
    }),
  });
}
