import { systemClock } from '../../../../src/lib/clock.js';
import { silentLog } from '../../../../src/lib/logger.js';
import { systemRandom } from '../../../../src/lib/random.js';
import { openStore } from '../../../../src/mgmt/open-store.js';
import { failuresContract } from '../contract-failures.js';

// Each opening makes a store of its own, so that of the contract only what needs one store is for it.
failuresContract('sqlite in memory', async () => () => {
  return openStore('sqlite::memory:', { clock: systemClock, random: systemRandom, log: silentLog, thread: 'same' });
});
