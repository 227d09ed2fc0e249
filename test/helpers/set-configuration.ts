import type { Store } from '../../src/mgmt/store/store.js';

/**
 * Changes one value, whatever the others are.
 * @returns the generation in which it stands
 * @throws Error: another change came in between
 */
export async function setConfiguration(
  store: Pick<Store, 'configuration' | 'updateConfiguration'>,
  name: string,
  value: string,
): Promise<number> {
  const { version: expected } = await store.configuration();
  const { done, version } = await store.updateConfiguration(new Map([[name, value]]), expected);
  if (!done) throw new Error(`${name} was judged by generation ${expected}; the store has ${version}`);
  return version;
}
