import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../../scripts/galera/cluster.js';
import { systemClock } from '../../../src/lib/clock.js';
import { silentLog } from '../../../src/lib/logger.js';
import { systemRandom } from '../../../src/lib/random.js';
import { openStore } from '../../../src/mgmt/open-store.js';
import type { Store } from '../../../src/mgmt/store/store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { hostDescription } from '../../helpers/host-description.js';
import { registerHost } from '../../helpers/one-host.js';

export const CLIENTS_DATABASE = 'muster_clients';
const PAUSE_MS = 20;
const PAUSE_AFTER_FAILURE_MS = 100;

/** What the clients have done since `begin`. */
export interface ClientReport {
  readonly hosts: number;
  readonly longestGapMs: number;
  readonly failures: number;
  /** What they were told is stored, and is not on every node: a line each. */
  readonly lost: readonly string[];
}

/**
 * Clients of the store without a management server, in a database of their own. Each prefers another node, so that all
 * nodes are written to at once.
 */
export class StoreClients {
  readonly #cluster: Cluster;
  readonly #stores: readonly Store[];
  readonly #zoneId: number;
  #writers: readonly Writer[] = [];

  private constructor(cluster: Cluster, stores: readonly Store[], zoneId: number) {
    this.#cluster = cluster;
    this.#stores = stores;
    this.#zoneId = zoneId;
  }

  /** All at the same moment, on an empty database. */
  static async open(cluster: Cluster): Promise<StoreClients> {
    const parts = { clock: systemClock, random: systemRandom, log: silentLog };
    const urls = cluster.nodes.map((_, first) => cluster.url({ first, database: CLIENTS_DATABASE }));
    const stores = await Promise.all(urls.map(url => openStore(url, parts)));
    const [zoneId = 0] = await Promise.all(stores.map(store => store.zoneId('default')));
    return new StoreClients(cluster, stores, zoneId);
  }

  /** They write until `end`. @param name a part of the hosts' names */
  begin(name: string): void {
    this.#writers = this.#stores.map((store, index) => new Writer(store, `${name}, client ${index + 1}`, this.#zoneId));
  }

  async end(): Promise<ClientReport> {
    for (const writer of this.#writers) await writer.stop();
    const hosts = this.#writers.flatMap(writer => [...writer.hosts]);
    return {
      hosts: hosts.length,
      longestGapMs: Math.max(...this.#writers.map(writer => writer.longestGapMs)),
      failures: this.#writers.reduce((sum, writer) => sum + writer.failures, 0),
      lost: await this.#lost(hosts),
    };
  }

  async close(): Promise<void> {
    for (const store of this.#stores) await store.close();
  }

  async #lost(hosts: readonly (readonly [guid: string, id: number])[]): Promise<string[]> {
    const lines: string[] = [];
    for (const node of this.#cluster.nodes) {
      const rows = await node.read(`select guid, id from ${CLIENTS_DATABASE}.host`);
      const ids = new Map(rows.map(({ guid, id }) => [guid, id]));
      if (new Set(ids.values()).size !== rows.length) lines.push(`${node.name} has an id twice`);
      for (const [guid, id] of hosts) {
        if (ids.get(guid) !== id) lines.push(`${node.name}: host ${guid} has id ${ids.get(guid)}, not ${id}`);
      }
    }
    return lines;
  }
}

/** Registers one host after the other, almost without a pause. */
class Writer {
  /** What the store said that it has: guid → id. */
  readonly hosts = new Map<string, number>();
  failures = 0;
  longestGapMs = 0;
  #isStopped = false;
  readonly #done: Promise<void>;

  constructor(store: Store, name: string, zoneId: number) {
    this.#done = this.#write(store, name, zoneId);
  }

  /** @throws what was no StoreError */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #write(store: Store, name: string, zoneId: number): Promise<void> {
    let last = performance.now();
    for (let number = 1; !this.#isStopped; ) {
      const guid = `${name}, host ${number}`;
      try {
        const { host } = await registerHost(store, hostDescription(guid, zoneId));
        await store.hostsReady([{ id: host.id, msid: 1, at: Date.now(), msHostList: null }]);
        this.hosts.set(guid, host.id);
        number++;
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        this.failures++;
        await sleep(PAUSE_AFTER_FAILURE_MS);
        continue;
      }
      const now = performance.now();
      this.longestGapMs = Math.max(this.longestGapMs, now - last);
      last = now;
      await sleep(PAUSE_MS);
    }
    // A gap that has not ended counts as well.
    this.longestGapMs = Math.max(this.longestGapMs, performance.now() - last);
  }
}
