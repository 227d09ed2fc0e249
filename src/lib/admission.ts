/** How many strangers there may be at once. */
export interface AdmissionBounds {
  readonly total: number;
  /** From one network. */
  readonly perNetwork: number;
}

/** What is decided about a connection that was just accepted. */
export interface Verdict<C> {
  /** Whether it may stay. */
  readonly isAdmitted: boolean;
  /** Which others are to be closed for it. They are no longer counted. */
  readonly evicted: readonly C[];
}

interface Stranger<C> {
  readonly connection: C;
  readonly network: string;
  readonly since: number;
}

/**
 * A newcomer does not take the place of a stranger that has been there for less than this, unless another network has
 * more places than its own: when many honest peers come at once, those that have begun would otherwise never finish.
 */
const GRACE_MS = 5_000;

/**
 * Which connections may stay of those that have not said yet who they are, the strangers. It decides, and closes nothing
 * itself.
 *
 * A network that has its share loses its oldest silent connection to the newcomer, or its oldest one. Past the total, the
 * oldest silent one of all goes first, and then the oldest one of the network that has most.
 */
export class Admission<C> {
  /** Maps and sets keep the order of arrival: what comes first is the oldest. */
  readonly #strangers = new Map<C, Stranger<C>>();
  readonly #silent = new Map<C, Stranger<C>>();
  readonly #byNetwork = new Map<string, Set<Stranger<C>>>();

  get size(): number {
    return this.#strangers.size;
  }

  /**
   * A connection was accepted.
   * @param network `networkOf` its address
   * @param now in monotonic milliseconds
   */
  arrive(connection: C, network: string, now: number, bounds: AdmissionBounds): Verdict<C> {
    const evicted: C[] = [];
    while (this.#hasNoRoom(network, bounds)) {
      const stranger = this.#nextToGo(network, now, bounds);
      if (stranger === undefined) return { isAdmitted: false, evicted };
      this.leave(stranger.connection);
      evicted.push(stranger.connection);
    }
    const stranger = { connection, network, since: now };
    this.#strangers.set(connection, stranger);
    const own = this.#byNetwork.get(network);
    if (own) own.add(stranger);
    else this.#byNetwork.set(network, new Set([stranger]));
    return { isAdmitted: true, evicted };
  }

  /** It is read from now on: it is silent until `spoke`. */
  isRead(connection: C): void {
    const stranger = this.#strangers.get(connection);
    if (stranger !== undefined) this.#silent.set(connection, stranger);
  }

  /** Its first byte has come. */
  spoke(connection: C): void {
    this.#silent.delete(connection);
  }

  /** It has ended, or is no stranger any more. Idempotent. */
  leave(connection: C): void {
    const stranger = this.#strangers.get(connection);
    if (stranger === undefined) return;
    this.#strangers.delete(connection);
    this.#silent.delete(connection);
    const own = this.#byNetwork.get(stranger.network);
    own?.delete(stranger);
    if (own?.size === 0) this.#byNetwork.delete(stranger.network);
  }

  #hasNoRoom(network: string, { total, perNetwork }: AdmissionBounds): boolean {
    return this.#strangers.size >= total || this.#placesOf(network) >= perNetwork;
  }

  /** @returns undefined: the newcomer itself */
  #nextToGo(network: string, now: number, { perNetwork }: AdmissionBounds): Stranger<C> | undefined {
    const own = this.#byNetwork.get(network);
    if (own !== undefined && own.size >= perNetwork) {
      return this.#firstSilent(own) ?? afterGrace(first(own), now);
    }
    const silent = first(this.#silent.values());
    if (silent !== undefined) return silent;
    const most = this.#largest();
    // The newcomer would have one more.
    if (most.size > this.#placesOf(network) + 1) return first(most);
    return afterGrace(first(this.#strangers.values()), now);
  }

  #placesOf(network: string): number {
    return this.#byNetwork.get(network)?.size ?? 0;
  }

  #firstSilent(strangers: Iterable<Stranger<C>>): Stranger<C> | undefined {
    for (const stranger of strangers) if (this.#silent.has(stranger.connection)) return stranger;
    return undefined;
  }

  #largest(): ReadonlySet<Stranger<C>> {
    let largest: ReadonlySet<Stranger<C>> = new Set();
    for (const own of this.#byNetwork.values()) if (own.size > largest.size) largest = own;
    return largest;
  }
}

function first<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}

function afterGrace<C>(stranger: Stranger<C> | undefined, now: number): Stranger<C> | undefined {
  return stranger !== undefined && now - stranger.since >= GRACE_MS ? stranger : undefined;
}
