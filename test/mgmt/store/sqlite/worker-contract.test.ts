import { join } from 'node:path';
import t from 'tap';
import { openStore as openStoreAsBuilt } from '#dist/mgmt/open-store.js';
import { systemClock } from '../../../../src/lib/clock.js';
import { silentLog } from '../../../../src/lib/logger.js';
import { systemRandom } from '../../../../src/lib/random.js';
import { openStore } from '../../../../src/mgmt/open-store.js';
import { storeContract } from '../contract.js';

// Each test starts a worker thread, which loads all of the store's code anew.
t.setTimeout(600_000);

const parts = { clock: systemClock, random: systemRandom, log: silentLog };

storeContract('sqlite in a worker', async t => {
  const url = `sqlite:${join(t.testdir(), 'muster.db')}`;
  let isFirst = true;
  return () => {
    // Its neighbours are in this thread: each worker thread takes a while to start.
    const opening = isFirst ? openStoreAsBuilt(url, parts) : openStore(url, { ...parts, thread: 'same' });
    isFirst = false;
    return opening;
  };
});
