import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../dist/lib/clock.js';
import { silentLog } from '../../dist/lib/logger.js';
import { systemRandom } from '../../dist/lib/random.js';
import { openStore } from '../../dist/mgmt/open-store.js';
import { DATABASES } from './cluster.mjs';

const PAUSE_MS = 20;

/**
 * Clients of the store without a management server, in a database of their own. Each prefers another node, so that all
 * nodes are written to at once; what the store said that it has must then be on every node.
 */
export class Clients {
  #cluster;
  #stores;
  #zone;
  #writers = [];

  static async open(cluster) {
    const clients = new Clients();
    clients.#cluster = cluster;
    // All at the same moment, on an empty database.
    clients.#stores = await Promise.all(
      cluster.nodes.map((_, first) =>
        openStore(cluster.url(first, DATABASES.clients), { clock: systemClock, random: systemRandom, log: silentLog }),
      ),
    );
    clients.#zone = await clients.#stores[0].zoneId('default');
    return clients;
  }

  begin(name) {
    this.#writers = this.#stores.map((store, i) => new Writer(store, `${name}, client ${i + 1}`, this.#zone));
  }

  async end() {
    for (const writer of this.#writers) await writer.stop();
    const hosts = this.#writers.flatMap(writer => [...writer.hosts]);
    const longestGapMs = Math.max(...this.#writers.map(writer => writer.longestGapMs));
    const failures = this.#writers.reduce((sum, writer) => sum + writer.failures, 0);
    return { hosts: hosts.length, longestGapMs, failures, wrong: await this.#lost(hosts) };
  }

  async close() {
    for (const store of this.#stores) await store.close();
  }

  async #lost(hosts) {
    const wrong = [];
    for (const node of this.#cluster.nodes) {
      const rows = await node.read(`select guid, id from ${DATABASES.clients}.host`);
      const ids = new Map(rows.map(({ guid, id }) => [guid, id]));
      if (new Set(ids.values()).size !== rows.length) wrong.push(`${node.name} has an id twice`);
      for (const [guid, id] of hosts) {
        if (ids.get(guid) !== id) wrong.push(`${node.name}: host ${guid} has id ${ids.get(guid)}, not ${id}`);
      }
    }
    return wrong;
  }
}

/** Writes almost without a pause, and remembers what the store said that it has. */
class Writer {
  /** guid → id */
  hosts = new Map();
  failures = 0;
  longestGapMs = 0;
  #isStopped = false;
  #done;

  constructor(store, name, zoneId) {
    this.#done = this.#write(store, name, zoneId);
  }

  async stop() {
    this.#isStopped = true;
    await this.#done;
  }

  async #write(store, name, zoneId) {
    const unsaid = { pod: 'pod', cluster: 'cluster', privateIpAddress: null, version: null, hypervisorType: 'KVM' };
    const facts = { ...unsaid, type: 'Routing', zoneId, arch: null, cpus: null, speed: null, ram: null };
    let last = performance.now();
    for (let i = 1; !this.#isStopped; ) {
      const guid = `${name}, host ${i}`;
      try {
        const { host } = await store.registerHost({ ...facts, guid, name: guid });
        await store.hostsReady([{ id: host.id, msid: 1, at: Date.now(), msHostList: null }]);
        this.hosts.set(guid, host.id);
        i++;
      } catch (error) {
        if (error.name !== 'StoreError') throw error;
        this.failures++;
        await sleep(5 * PAUSE_MS);
        continue;
      }
      const now = performance.now();
      this.longestGapMs = Math.max(this.longestGapMs, now - last);
      last = now;
      await sleep(PAUSE_MS);
    }
    // A client that cannot write any more has no gap that ends.
    this.longestGapMs = Math.max(this.longestGapMs, performance.now() - last);
  }
}
