import type { AgentStore } from '../store/agent-store.js';
import { pagesOf, readAll } from '../store/pages.js';
import { addId, indexOfId } from './sorted-ids.js';

/**
 * The host ids of each zone in memory, ascending. A zone is read once; then it follows what the poll finds changed. Ids only
 * rise, so it is read on from its last id when an id lies beyond it; nothing on a connect goes through all hosts.
 */
export class ZoneHosts {
  readonly #store: Pick<AgentStore, 'zoneHostIds'>;
  readonly #zones = new Map<number, Zone>();

  constructor(store: Pick<AgentStore, 'zoneHostIds'>) {
    this.#store = store;
  }

  /** The ids that are in memory. */
  idsOf(zoneId: number): readonly number[] {
    return this.#zone(zoneId).ids;
  }

  /** Whether the zone was read, and has not the host. */
  lacks(zoneId: number, hostId: number): boolean {
    const { isRead, ids } = this.#zone(zoneId);
    return isRead && !has(ids, hostId);
  }

  /** Reads until the zone has the host, as far as the store has it there. @throws StoreError */
  async include(zoneId: number, hostId: number): Promise<void> {
    // Those that come meanwhile wait for the reading under way, and look again.
    if (!has(this.#zone(zoneId).ids, hostId)) {
      await this.#inTurn(zoneId, zone => this.#readUpTo(zoneId, zone, hostId));
    }
  }

  /** Reads the hosts of a zone that was not read yet. @throws StoreError */
  async read(zoneId: number): Promise<void> {
    await this.#inTurn(zoneId, async zone => {
      if (!zone.isRead) await this.#readTail(zoneId, zone);
    });
  }

  /**
   * The host is in this zone now. A zone that is not in memory comes to have it when it is read. Of several hosts all are to
   * be added in one turn: the place of each in its zone follows from those before it.
   */
  add(zoneId: number, hostId: number): void {
    const zone = this.#zone(zoneId);
    if (zone.isRead) addId(zone.ids, hostId);
  }

  /**
   * The host was removed, or is in another zone now. The position of hosts with higher ids changes; they are told at their
   * next connect.
   */
  remove(zoneId: number, hostId: number): void {
    const { ids } = this.#zone(zoneId);
    const index = indexOfId(ids, hostId);
    if (ids[index] === hostId) ids.splice(index, 1);
  }

  /** One reading of a zone at a time. */
  #inTurn(zoneId: number, read: (zone: Zone) => Promise<void>): Promise<void> {
    const zone = this.#zone(zoneId);
    zone.reading = zone.reading.catch(() => {}).then(() => read(zone));
    return zone.reading;
  }

  async #readTail(zoneId: number, zone: Zone): Promise<void> {
    // In place: many thousands of ids are not copied for every new host.
    const read = (after: number) => this.#store.zoneHostIds(zoneId, after);
    for await (const page of pagesOf(read, zone.ids.at(-1))) for (const id of page) addId(zone.ids, id);
    zone.isRead = true;
  }

  async #readUpTo(zoneId: number, zone: Zone, hostId: number): Promise<void> {
    if (has(zone.ids, hostId)) return;
    if (hostId > (zone.ids.at(-1) ?? 0)) await this.#readTail(zoneId, zone);
    // The host came from another zone, or its row was committed after one with a higher id.
    else for (const id of await readAll(after => this.#store.zoneHostIds(zoneId, after))) addId(zone.ids, id);
  }

  #zone(zoneId: number): Zone {
    let zone = this.#zones.get(zoneId);
    if (zone === undefined) {
      zone = { ids: [], isRead: false, reading: Promise.resolve() };
      this.#zones.set(zoneId, zone);
    }
    return zone;
  }
}

interface Zone {
  readonly ids: number[];
  /** All that it had at some moment is in memory. */
  isRead: boolean;
  reading: Promise<void>;
}

function has(ids: readonly number[], id: number): boolean {
  return ids[indexOfId(ids, id)] === id;
}
