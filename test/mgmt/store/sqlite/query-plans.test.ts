import { join } from 'node:path';
import Database from 'libsql';
import t from 'tap';
import { systemClock } from '../../../../src/lib/clock.js';
import { silentLog } from '../../../../src/lib/logger.js';
import { systemRandom } from '../../../../src/lib/random.js';
import { openStore } from '../../../../src/mgmt/open-store.js';
import { HOSTS_A_BATCH } from '../../../../src/mgmt/store/store.js';
import { hostDescription } from '../../../helpers/host-description.js';

/** Without statistics SQLite guesses, and may read every host to find the hundred that are named. */
t.test('a batch of hosts is found by their ids and guids, never by reading all hosts', async t => {
  const texts = new Set<string>();
  const { prepare } = Database.prototype;
  t.teardown(() => {
    Database.prototype.prepare = prepare;
  });
  Database.prototype.prepare = function (this: Database.Database, text: string) {
    texts.add(text);
    return prepare.call(this, text);
  } as typeof prepare;

  const file = join(t.testdir(), 'muster.db');
  const parts = { clock: systemClock, random: systemRandom, log: silentLog, thread: 'same' } as const;
  const store = await openStore(`sqlite:${file}`, parts);
  const zoneId = await store.zoneId('default');
  const descriptions = Array.from({ length: HOSTS_A_BATCH }, (_, i) => hostDescription(`guid-${i}`, zoneId));
  const known = (await store.registerHosts(descriptions)).map(({ host }) => host);
  await store.registerHosts(descriptions);
  const ids = known.map(({ id }) => id);
  const epochs = await store.hostsReady(ids.map(id => ({ id, msid: 1, msHostList: `list-${id}`, at: 1 })));
  await store.hostsMsHostList(ids.map((id, i) => ({ id, epoch: epochs[i] ?? 0, msHostList: 'list' })));
  await store.hostsById(ids);
  await store.assignHosts(
    ids.map(id => ({ id, preferred: '192.0.2.1' })),
    0,
  );
  await store.hostsDisconnected(ids.map((id, i) => ({ id, msid: 1, epoch: epochs[i] ?? 0, at: 2, reason: 'test' })));
  await store.releaseHosts(1, { at: 3, reason: 'test' });

  const database = new Database(file);
  let named = 0;
  for (const text of texts) {
    const column = /"host".* where .*?"(id|guid|removed_guid)" in \(\?, \?/.exec(text)?.[1];
    if (column === undefined) continue;
    named++;
    const values = Array.from(text.matchAll(/\?/g), () => 'x');
    const plan = prepare.call(database, `explain query plan ${text}`).all(values) as { detail: string }[];
    const search = plan.map(({ detail }) => detail).find(detail => detail.includes(' host '));
    t.match(search, new RegExp(`[ (]${column}=\\?`), text.replaceAll('?, ', '').slice(0, 100));
  }
  t.ok(named > 8, `${named} statements name hosts`);
  database.close();
  await store.close();
});
