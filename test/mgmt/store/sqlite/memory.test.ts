import { systemClock } from '../../../../src/lib/clock.js';
import { systemRandom } from '../../../../src/lib/random.js';
import type { Store } from '../../../../src/mgmt/store/store.js';
import { StoreError } from '../../../../src/mgmt/store/store-error.js';
import { openStoreInMemory } from '../../../helpers/store-in-memory.js';
import { storeOver } from '../../../helpers/store-way.js';
import { storeContract } from '../contract.js';
import { closedWith } from '../store-test.js';

storeContract('sqlite in memory', async t => {
  const store = await closedWith(t, openStoreInMemory({ clock: systemClock, random: systemRandom }));
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
