import type { AttacheRegistry } from '../agents/attache-registry.js';
import type { KnownHosts } from '../hosts/known-hosts.js';
import type { ServerLife } from '../hosts/reconcile.js';
import { type ChangedHost, HOSTS_A_BATCH, type Store } from '../store/store.js';
import type { Whereabouts } from './send-state.js';

export interface HostFinderParts {
  readonly msid: number;
  readonly store: Pick<Store, 'hostsById'>;
  readonly registry: Pick<AttacheRegistry, 'get'>;
  readonly knownHosts: Pick<KnownHosts, 'byId' | 'learn'>;
  lifeOf(msid: number): ServerLife;
}

/** Which of the hosts that were read are there. */
type Found = ReadonlySet<number>;

/** Where hosts are. Those that are looked for at the same time are read together. */
export class HostFinder {
  readonly #parts: HostFinderParts;
  /** To be read by the next reading. */
  readonly #wanted = new Set<number>();
  /** The reading that is under way or was the last, and the one behind it. */
  #reading: Promise<Found> | undefined;
  #next: Promise<Found> | undefined;

  constructor(parts: HostFinderParts) {
    this.#parts = parts;
  }

  /** @param isFresh by what the store says now. While it is away, by what was read last. Never rejects */
  async find(hostId: number, isFresh: boolean): Promise<Whereabouts> {
    const { registry, knownHosts, msid: own, lifeOf } = this.#parts;
    if (registry.get(hostId) !== undefined) return { kind: 'here' };
    if (isFresh) {
      const read = await this.#read(hostId).catch(() => undefined);
      if (read !== undefined && !read.has(hostId)) return { kind: 'removed' };
      if (registry.get(hostId) !== undefined) return { kind: 'here' };
    }
    const host = knownHosts.byId(hostId);
    if (host === undefined) return { kind: 'nowhere', why: 'the host is not known here' };
    const { msid } = host;
    if (msid === null || msid === own) return { kind: 'nowhere', why: 'the host is not connected to any server' };
    if (lifeOf(msid) === 'dead') return { kind: 'nowhere', why: 'the server that has the host is down' };
    return { kind: 'at', msid };
  }

  #read(hostId: number): Promise<Found> {
    this.#wanted.add(hostId);
    this.#next ??= this.#readNext();
    return this.#next;
  }

  async #readNext(): Promise<Found> {
    // Those that come meanwhile are read with this one.
    await this.#reading?.catch(() => {});
    const ids = [...this.#wanted];
    this.#wanted.clear();
    this.#reading = this.#next;
    this.#next = undefined;
    const found = new Set<number>();
    for (let at = 0; at < ids.length; at += HOSTS_A_BATCH) {
      for (const host of await this.#parts.store.hostsById(ids.slice(at, at + HOSTS_A_BATCH))) {
        if (host.removed !== null) continue;
        found.add(host.id);
        this.#learn(host);
      }
    }
    return found;
  }

  #learn(host: ChangedHost): void {
    const { knownHosts } = this.#parts;
    // The poll may have read it later than this, and come to its end earlier.
    if (host.changed >= (knownHosts.byId(host.id)?.changed ?? 0)) knownHosts.learn(host);
  }
}
