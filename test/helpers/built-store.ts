import type { openStore } from '../../src/mgmt/open-store.js';

/** `openStore` as built, with its worker thread: one that had to load TypeScript first would take seconds to start. */
export const BUILT_OPEN_STORE = new URL('../../dist/mgmt/open-store.js', import.meta.url).href;

const built: { readonly openStore: typeof openStore } = await import(BUILT_OPEN_STORE);

export const openStoreAsBuilt = built.openStore;
