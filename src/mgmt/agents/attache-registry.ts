import { MGMT_LIMITS } from '../config/limits.js';
import type { Loss } from '../store/store.js';
import type { Attache } from './attache.js';

/** What it means for a host that one of its links has ended. */
export type Departure =
  /** It has another link here, Ready or on its way there. */
  | { readonly kind: 'nothing' }
  /** It has no link here any more. */
  | { readonly kind: 'lost'; readonly loss: Loss };

/** The links that a host has here. */
interface HostLinks {
  /** The link that is Ready. */
  current: Attache | undefined;
  /** Links that have registered and are not Ready yet. */
  readonly arriving: Set<Attache>;
  /** Why the Ready link ended while another was arriving; for the case that the other one does not become Ready. */
  loss: Loss | undefined;
}

/**
 * The connected agents by host id. During a move an agent has two links here, of which one is Ready.
 * @example
 * for (const attache of node.agents.registry) console.log(attache.host.name, attache.link.remote.address);
 */
export class AttacheRegistry {
  readonly #links = new Map<number, HostLinks>();
  readonly #byGuid = new Map<string, Attache>();

  /** The host's Ready link. */
  get(hostId: number): Attache | undefined {
    return this.#links.get(hostId)?.current;
  }

  /** What the host has here. */
  linkOf(hostId: number): 'ready' | 'arriving' | 'none' {
    const links = this.#links.get(hostId);
    if (links === undefined) return 'none';
    return links.current === undefined ? 'arriving' : 'ready';
  }

  /** The Ready link of the agent with this guid. */
  byGuid(guid: string): Attache | undefined {
    return this.#byGuid.get(guid);
  }

  /** Agents with a Ready link. */
  get size(): number {
    return this.#byGuid.size;
  }

  /** The Ready links. */
  *[Symbol.iterator](): IterableIterator<Attache> {
    yield* this.#byGuid.values();
  }

  /** The agent has registered. @returns the oldest link of its host that is not Ready, which is one too many */
  arrive(attache: Attache): Attache | undefined {
    const links = this.#links.get(attache.host.id);
    if (links === undefined) {
      this.#links.set(attache.host.id, { current: undefined, arriving: new Set([attache]), loss: undefined });
      return undefined;
    }
    links.arriving.add(attache);
    const [oldest] = links.arriving;
    return links.arriving.size > MGMT_LIMITS.arrivingLinks ? oldest : undefined;
  }

  /** The agent is Ready. @returns the link that it had before, which is to be closed */
  ready(attache: Attache): Attache | undefined {
    const links = this.#links.get(attache.host.id);
    if (links === undefined) throw new Error(`host ${attache.host.id} is Ready without having arrived`);
    // By guid: a host that was removed registers again under another id.
    const former = this.#byGuid.get(attache.guid);
    links.arriving.delete(attache);
    links.current = attache;
    links.loss = undefined;
    this.#byGuid.set(attache.guid, attache);
    return former;
  }

  /**
   * A link of the host has ended. While another is arriving, the host is not lost yet: an agent that moves closes its
   * old link as soon as it has seen the new one's Ready.
   */
  depart(attache: Attache, loss: Loss): Departure {
    const links = this.#links.get(attache.host.id);
    if (links === undefined) return { kind: 'nothing' };
    links.arriving.delete(attache);
    if (links.current === attache) {
      links.current = undefined;
      links.loss = loss;
      if (this.#byGuid.get(attache.guid) === attache) this.#byGuid.delete(attache.guid);
    }
    if (links.current !== undefined || links.arriving.size > 0) return { kind: 'nothing' };
    this.#links.delete(attache.host.id);
    return { kind: 'lost', loss: links.loss ?? loss };
  }
}
