import { join } from 'node:path';
import { systemClock } from '../../../../src/lib/clock.js';
import { silentLog } from '../../../../src/lib/logger.js';
import { systemRandom } from '../../../../src/lib/random.js';
import { openStore } from '../../../../src/mgmt/open-store.js';
import { storeContract } from '../contract.js';

const parts = { clock: systemClock, random: systemRandom, log: silentLog };

storeContract('sqlite in a worker', async t => {
  const url = `sqlite:${join(t.testdir(), 'muster.db')}`;
  let isFirst = true;
  return () => {
    // Its neighbours are in this thread: each worker thread takes a while to start.
    const opening = isFirst ? openStore(url, parts) : openStore(url, { ...parts, thread: 'same' });
    isFirst = false;
    return opening;
  };
});
