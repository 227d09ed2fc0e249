// An agent in a process of its own, whose commands write down, independently of its journal, that they were carried out.
// Arguments: its folder, and the port of its server on 127.0.0.1.
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineResource, startAgent } from '../../src/agent/index.js';
import { silentLog } from '../../src/lib/logger.js';

const [folder = '', port = ''] = process.argv.slice(2);

await startAgent({
  file: join(folder, 'agent.properties'),
  overrides: { host: '127.0.0.1', port, 'failover.spread.ms': '0' },
  log: silentLog,
  resource: defineResource({
    name: 'R',
    startup: () => ({}),
    commands: {
      'com.example.CountCommand': async ({ number }, { id }) => {
        appendFileSync(join(folder, 'begun'), `${id}\n`);
        for (let turn = 0; turn < 20; turn++) await new Promise<void>(resolve => setImmediate(resolve));
        appendFileSync(join(folder, 'ended'), `${id}\n`);
        return { result: true, number };
      },
    },
  }),
});
