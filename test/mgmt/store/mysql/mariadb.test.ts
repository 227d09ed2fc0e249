import t from 'tap';
import { systemClock } from '../../../../src/lib/clock.js';
import { silentLog } from '../../../../src/lib/logger.js';
import { systemRandom } from '../../../../src/lib/random.js';
import { openStore } from '../../../../src/mgmt/open-store.js';
import { startMariaDb, whyNoMariaDb } from '../../../helpers/mariadb.js';
import { storeContract } from '../contract.js';
import { closedWith } from '../store-test.js';

const env = { clock: systemClock, random: systemRandom, log: silentLog };
const absent = whyNoMariaDb(t);

if (absent !== undefined) t.test('mariadb: the store contract', { skip: absent }, async () => {});
else {
  const mariadb = await startMariaDb(t);
  storeContract('mariadb', async t => {
    const url = await mariadb.createDatabase();
    return () => closedWith(t, openStore(url, env));
  });
}
