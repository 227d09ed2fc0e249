import { systemClock } from '../../src/lib/clock.js';
import { silentLog } from '../../src/lib/logger.js';
import { systemRandom } from '../../src/lib/random.js';
import { openStore } from '../../src/mgmt/open-store.js';
import { hostDescription } from './host-description.js';
import { registerHost } from './one-host.js';

/** The other side of store-process.ts. */
process.once('message', ({ file, guids }: { file: string; guids: string[] }) => {
  register(file, guids).then(
    ids => process.send?.(ids),
    error => process.send?.(`${error}`),
  );
});
process.send?.('loaded');

async function register(file: string, guids: readonly string[]): Promise<[string, number][]> {
  const parts = { clock: systemClock, random: systemRandom, log: silentLog, thread: 'same' } as const;
  const store = await openStore(`sqlite:${file}`, parts);
  const zone = await store.zoneId('default');
  const registered = await Promise.all(guids.map(guid => registerHost(store, hostDescription(guid, zone))));
  await store.close();
  return registered.map(({ host }) => [host.guid, host.id]);
}
