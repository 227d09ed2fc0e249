import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { silentLog } from '../../src/lib/logger.js';
import { EventLog } from '../../src/mgmt/cluster/events.js';
import { openStore } from '../../src/mgmt/open-store.js';
import { StoreHealth } from '../../src/mgmt/store/store-health.js';
import { turns } from '../helpers/agent-bench.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { knownFault } from '../helpers/known-fault.js';
import { scratchFolder } from '../helpers/scratch.js';
import { seededRandom } from '../helpers/seeded-random.js';

knownFault(t, 'events: with 2,000 an hour, no more than 100,000 are kept for longer than an hour', async t => {
  const clock = new FakeClock();
  const folder = scratchFolder('muster-store-');
  const store = await openStore(`sqlite:${join(folder, 'muster.db')}`, {
    thread: 'same',
    clock,
    random: seededRandom(1),
    log: silentLog,
  });
  const log = new EventLog(store, new StoreHealth(silentLog), { clock, log: silentLog, msid: 1 });
  t.teardown(async () => {
    await log.close();
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const add = async (batches: number) => {
    for (let i = 0; i < batches; i++) {
      await store.addEvents(
        Array.from({ length: 500 }, () => ({
          type: 'AGENT.READY',
          level: 'INFO' as const,
          description: 'x',
          created: clock.wallTime(),
          resourceType: null,
          resourceId: null,
          msid: 1,
        })),
      );
    }
  };
  await add(220);
  for (let hour = 0; hour < 4; hour++) {
    await add(4);
    await clock.advance(3_600_000);
    log.add({ type: 'AGENT.READY', level: 'INFO', description: 'tick' });
    await clock.advance(1_000);
    await turns(300);
  }
  const { count } = await store.events({ page: 1, pagesize: 1 });
  t.ok(count <= 102_000, `${count}`);
});
