import type { Attache } from './attache.js';

/** What it means for a host that one of its links has ended. */
export type Departure =
  /** It has another link here, Ready or on its way there. */
  | { readonly kind: 'nothing' }
  /** It has no link here any more. */
  | { readonly kind: 'lost'; readonly reason: string };

interface Seat {
  /** The link that is Ready. */
  current: Attache | undefined;
  /** Links that have registered and are not Ready yet. */
  readonly arriving: Set<Attache>;
  /** Why the Ready link ended while another was arriving; for the case that the other one does not become Ready. */
  lostReason: string | undefined;
}

/** The connected agents by host id. During a move an agent has two links here, of which one is Ready. */
export class AttacheRegistry {
  readonly #seats = new Map<number, Seat>();
  readonly #byGuid = new Map<string, Attache>();

  /** The host's Ready link. */
  get(hostId: number): Attache | undefined {
    return this.#seats.get(hostId)?.current;
  }

  /** What the host has here. */
  linkOf(hostId: number): 'ready' | 'arriving' | 'none' {
    const seat = this.#seats.get(hostId);
    if (seat === undefined) return 'none';
    return seat.current === undefined ? 'arriving' : 'ready';
  }

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

  /** The agent has registered. */
  arrive(attache: Attache): void {
    const seat = this.#seats.get(attache.host.id);
    if (seat) seat.arriving.add(attache);
    else this.#seats.set(attache.host.id, { current: undefined, arriving: new Set([attache]), lostReason: undefined });
  }

  /** The agent is Ready. @returns the link that it had before, which is to be closed */
  seat(attache: Attache): Attache | undefined {
    const seat = this.#seats.get(attache.host.id);
    if (seat === undefined) throw new Error(`host ${attache.host.id} is seated without having arrived`);
    // By guid: a host that was removed registers again under another id.
    const former = this.#byGuid.get(attache.guid);
    seat.arriving.delete(attache);
    seat.current = attache;
    seat.lostReason = undefined;
    this.#byGuid.set(attache.guid, attache);
    return former;
  }

  /**
   * A link of the host has ended. While another is arriving, the host is not lost yet: an agent that moves closes its
   * old link as soon as it has seen the new one's Ready.
   */
  depart(attache: Attache, reason: string): Departure {
    const seat = this.#seats.get(attache.host.id);
    if (seat === undefined) return { kind: 'nothing' };
    seat.arriving.delete(attache);
    if (seat.current === attache) {
      seat.current = undefined;
      seat.lostReason = reason;
      if (this.#byGuid.get(attache.guid) === attache) this.#byGuid.delete(attache.guid);
    }
    if (seat.current !== undefined || seat.arriving.size > 0) return { kind: 'nothing' };
    this.#seats.delete(attache.host.id);
    return { kind: 'lost', reason: seat.lostReason ?? reason };
  }
}
