import { ringIndex } from '../lists/algorithms.js';
import type { AgentStore } from '../store/agent-store.js';

/**
 * The zone rings in memory: the host ids of each zone, ascending. Ids only ever rise, so a ring is read on from its end
 * when an id lies beyond it; nothing on a connect goes through all agents.
 */
export class Rings {
  readonly #store: Pick<AgentStore, 'zoneHostIds'>;
  readonly #zones = new Map<number, Ring>();

  constructor(store: Pick<AgentStore, 'zoneHostIds'>) {
    this.#store = store;
  }

  /**
   * The zone's ring, with `hostId` in it as far as the store has it there.
   * @throws StoreError
   */
  async including(zoneId: number, hostId: number): Promise<readonly number[]> {
    const ring = this.#ring(zoneId);
    if (!has(ring.ids, hostId)) {
      // Those who came meanwhile look again behind it.
      await this.#inTurn(zoneId, ring => this.#readUpTo(zoneId, ring, hostId));
    }
    return ring.ids;
  }

  /** Reads what is new, so that `known` is not far behind. @throws StoreError */
  async readOn(zoneId: number): Promise<void> {
    await this.#inTurn(zoneId, ring => this.#readTail(zoneId, ring));
  }

  /** The host was removed. Those behind it step up; nobody is told before its next connect. */
  remove(zoneId: number, hostId: number): void {
    const { ids } = this.#ring(zoneId);
    const index = ringIndex(ids, hostId);
    if (ids[index] === hostId) ids.splice(index, 1);
  }

  /** What is in memory, for when the store is away. */
  known(zoneId: number): readonly number[] {
    return this.#ring(zoneId).ids;
  }

  /** One reading of a ring at a time. */
  #inTurn(zoneId: number, read: (ring: Ring) => Promise<void>): Promise<void> {
    const ring = this.#ring(zoneId);
    ring.reading = ring.reading.catch(() => {}).then(() => read(ring));
    return ring.reading;
  }

  async #readTail(zoneId: number, ring: Ring): Promise<void> {
    // In place: a ring of many thousands is not copied for every agent that is new.
    for (const id of await this.#store.zoneHostIds(zoneId, ring.ids.at(-1) ?? 0)) ring.ids.push(id);
  }

  async #readUpTo(zoneId: number, ring: Ring, hostId: number): Promise<void> {
    if (has(ring.ids, hostId)) return;
    if (hostId > (ring.ids.at(-1) ?? 0)) await this.#readTail(zoneId, ring);
    // The host came from another zone, or its row was committed behind a later one.
    else ring.ids = [...(await this.#store.zoneHostIds(zoneId))];
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
