import { ringIndex } from './algorithms.js';
import type { Store } from './store/store.js';

/**
 * The zone rings in memory: the host ids of each zone, ascending. Ids only ever rise, so a ring is read on from its end
 * when an id lies beyond it; nothing on a connect goes through all agents.
 */
export class Rings {
  readonly #store: Pick<Store, 'ring'>;
  readonly #zones = new Map<number, Ring>();

  constructor(store: Pick<Store, 'ring'>) {
    this.#store = store;
  }

  /**
   * The zone's ring, with `hostId` in it as far as the store has it there.
   * @throws StoreError
   */
  async including(zoneId: number, hostId: number): Promise<readonly number[]> {
    const ring = this.#ring(zoneId);
    if (!has(ring.ids, hostId)) {
      // One reading at a time; those who came meanwhile look again behind it.
      ring.reading = ring.reading.catch(() => {}).then(() => this.#readOn(zoneId, ring, hostId));
      await ring.reading;
    }
    return ring.ids;
  }

  /** What is in memory, for when the store is away. */
  known(zoneId: number): readonly number[] {
    return this.#ring(zoneId).ids;
  }

  async #readOn(zoneId: number, ring: Ring, hostId: number): Promise<void> {
    if (has(ring.ids, hostId)) return;
    const last = ring.ids.at(-1) ?? 0;
    if (hostId > last) {
      // In place: a ring of many thousands is not copied for every agent that is new.
      for (const id of await this.#store.ring(zoneId, last)) ring.ids.push(id);
    } else {
      // The host came from another zone, or its row was committed behind a later one.
      ring.ids = [...(await this.#store.ring(zoneId))];
    }
  }

  #ring(zoneId: number): Ring {
    let ring = this.#zones.get(zoneId);
    if (ring === undefined) {
      ring = { ids: [], reading: Promise.resolve() };
      this.#zones.set(zoneId, ring);
    }
    return ring;
  }
}

interface Ring {
  ids: number[];
  reading: Promise<void>;
}

function has(ids: readonly number[], id: number): boolean {
  return ids[ringIndex(ids, id)] === id;
}
