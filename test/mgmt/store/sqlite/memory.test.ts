import { systemClock } from '../../../../src/lib/clock.js';
import { silentLog } from '../../../../src/lib/logger.js';
import { systemRandom } from '../../../../src/lib/random.js';
import { openStore } from '../../../../src/mgmt/open-store.js';
import type { Store } from '../../../../src/mgmt/store/store.js';
import { StoreError } from '../../../../src/mgmt/store/store-error.js';
import { storeOver } from '../../../helpers/store-way.js';
import { storeContract } from '../contract.js';
import { closedWith } from '../store-test.js';

storeContract('sqlite in memory', async t => {
  const opening = openStore('sqlite::memory:', {
    ...{ clock: systemClock, random: systemRandom, log: silentLog, thread: 'same' },
  });
  const store = await closedWith(t, opening);
  return async () => shareOf(store);
});

/** Each opening would make a database of its own: so several servers share one store, as those of a simulated world do. */
function shareOf(store: Store): Store {
  const calls = new Set<Promise<unknown>>();
  let isClosed = false;
  return {
    ...storeOver(store, (call, carryOut) => {
      if (isClosed) return Promise.reject(new StoreError('STORE_CLOSED', call));
      const ended = carryOut();
      calls.add(ended);
      return ended;
    }),
    async close() {
      isClosed = true;
      await Promise.allSettled(calls);
    },
  };
}
