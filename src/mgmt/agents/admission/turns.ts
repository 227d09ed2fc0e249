import { ConnectionRate } from './connection-rate.js';

/** What is decided about a connection that was just accepted. */
export interface TurnVerdict<C> {
  /** Whether it may wait for its turn. */
  readonly isAdmitted: boolean;
  /** Which other one is to be closed for it. It does not wait any more. */
  readonly evicted?: C | undefined;
}

/** Accepted connections that are not served within this time are not worth their wait: agents give up soon after. */
const WAIT_MS = 15_000;
/**
 * A connection that has not said after this who it is waits for its peer, and takes no turn from others. While the event loop is
 * busy the reason may be the server, which would only be slower with more.
 */
const TURN_MS = { atLeisure: 1_000, busy: 5_000 } as const;
/** Of those that come before all others, so many may wait at a time: others come from the same address. */
const URGENT_AT_ONCE = 8;
/**
 * When a connection says who it is, this part of the work for it is done: the handshake. In a storm much work is in connections
 * of which none has come to its end, and a server that counted ends alone would take itself for a slow one.
 */
const HANDSHAKE_PART = 0.5;
const SLOTS = { first: 64, least: 16, most: 1_024 } as const;
/** From here on the event loop has no time to spare. */
const BUSY = 0.9;

/**
 * Which connections a server works on, and which wait unread until it is their turn. It decides, and touches no connection
 * itself. All moments are those of a monotonic clock, in milliseconds.
 *
 * It works on so many at a time that the event loop is busy, and on no more: those that have begun end soon, while of
 * thousands at a time none would end before its peer gives up. Networks take turns, each with its oldest first. As many may
 * wait as it can serve in time.
 */
export class Turns<C> {
  /** With the moment at which each began, the oldest first. Without those whose turn is over. */
  readonly #served = new Map<C, number>();
  /** Those of which the server knows who they are. */
  readonly #working = new Set<C>();
  /** Of them, those that the server has not registered yet: with the others it waits for their agents. */
  readonly #registering = new Set<C>();
  /** Those whose turn is over, and that are there still. */
  readonly #slow = new Set<C>();
  /** The networks whose turn comes next first; of each its connections, the oldest first. */
  readonly #waiting = new Map<string, Set<C>>();
  readonly #networks = new Map<C, string>();
  /** Networks by how many connections of theirs wait. */
  readonly #bySize: Set<string>[] = [];
  #slots: number = SLOTS.first;
  #isBusy = false;
  /** Since the last measurement, with the handshakes of those that have said who they are. */
  #ended = 0;
  #becameReady = 0;
  /** Since it has been crowded. */
  #hasEnded = false;
  #measuredAt: number | undefined;
  readonly #connectionRate = new ConnectionRate();

  /** How many connections wait. */
  get waiting(): number {
    return this.#networks.size;
  }

  /** Whether no connection waits, and the server works on none. */
  get isIdle(): boolean {
    return this.waiting === 0 && this.#inProgress === 0;
  }

  /** How many connections the server can bring to Ready in a second, as far as it has measured. */
  get rate(): number {
    return this.#connectionRate.perSecond;
  }

  /**
   * A connection was accepted, and waits.
   * @param network `networkOf` its address
   * @param isUrgent its turn comes before that of all others
   */
  arrive(connection: C, network: string, isUrgent = false): TurnVerdict<C> {
    let evicted: C | undefined;
    const isFirst = isUrgent && (this.#waiting.get(network)?.size ?? 0) < URGENT_AT_ONCE;
    if (this.waiting >= this.#room && !isFirst) {
      evicted = this.#newestOfLargest(network);
      if (evicted === undefined) return { isAdmitted: false };
      this.#remove(evicted);
    }
    this.#add(connection, network);
    if (isFirst) this.#toFront(network);
    return { isAdmitted: true, evicted };
  }

  /** Those whose turn has come. They wait no more. */
  next(now: number): C[] {
    if (this.#measuredAt === undefined) {
      this.#measuredAt = now;
      // What has ended before began when it was not measured.
      this.#ended = 0;
      this.#becameReady = 0;
    }
    const turnMs = this.#isBusy ? TURN_MS.busy : TURN_MS.atLeisure;
    for (const [connection, since] of this.#served) {
      if (now - since < turnMs) break;
      this.#served.delete(connection);
      this.#slow.add(connection);
    }
    const begun: C[] = [];
    while (this.#inProgress < this.#slots) {
      const connection = this.#first();
      if (connection === undefined) break;
      this.#remove(connection);
      this.#served.set(connection, now);
      begun.push(connection);
    }
    return begun;
  }

  /** It has said who it is: it has its place until it leaves. */
  works(connection: C): void {
    if (!this.#served.delete(connection) && !this.#slow.delete(connection)) return;
    this.#ended += HANDSHAKE_PART;
    this.#working.add(connection);
    this.#registering.add(connection);
  }

  /** It is registered: how soon it is Ready is up to its agent. */
  registered(connection: C): void {
    this.#registering.delete(connection);
  }

  /**
   * It has ended, or its agent is Ready, or is refused. Idempotent.
   * @param isReady one that took longer than its turn has been served then, where another has made the server wait
   */
  leave(connection: C, isReady = false): void {
    this.#registering.delete(connection);
    const wasSlow = this.#slow.delete(connection);
    const hasSaid = this.#working.delete(connection);
    if (this.#served.delete(connection) || hasSaid || (wasSlow && isReady)) {
      this.#ended += hasSaid ? 1 - HANDSHAKE_PART : 1;
      if (isReady) this.#becameReady++;
    } else if (this.#networks.has(connection)) this.#remove(connection);
  }

  /**
   * Measures, a few times a second until it is idle. A server that is slower than it was known to be has let in more than it
   * can serve in time.
   * @param utilization which part of the time since the last call the event loop was busy, 0 to 1
   * @returns those that are to be closed: the newest of the networks that have most. They do not wait any more
   */
  measure(now: number, utilization: number): C[] {
    const isBusy = utilization >= BUSY;
    if (this.waiting > 0) {
      this.#isBusy = isBusy;
      const slots = isBusy ? this.#slots * 0.9 : this.#slots * 1.5;
      this.#slots = Math.min(Math.max(Math.round(slots), SLOTS.least), SLOTS.most);
    }
    // The first ones have begun together, and none of them has come to its end yet.
    const isCrowded = this.waiting > 0 || this.#inProgress >= SLOTS.first;
    this.#hasEnded = isCrowded && (this.#hasEnded || this.#ended > 0);
    const ms = now - (this.#measuredAt ?? now);
    if (ms > 0) {
      const waitsForStore = this.#waitsForStore;
      this.#connectionRate.measured({
        ms,
        ended: this.#ended,
        ready: this.#becameReady,
        utilization: waitsForStore ? 1 : utilization,
        isFull: this.#hasEnded && (isBusy || waitsForStore),
      });
    }
    this.#ended = 0;
    this.#becameReady = 0;
    this.#measuredAt = now;
    return this.#shed();
  }

  /** Nobody waits any more. @returns those that did */
  clear(): C[] {
    const waiting = [...this.#networks.keys()];
    for (const connection of waiting) this.#remove(connection);
    return waiting;
  }

  /** It is idle, and measures nothing until the next one comes. */
  rest(): void {
    this.#measuredAt = undefined;
    this.#hasEnded = false;
    this.#isBusy = false;
    this.#connectionRate.rest();
  }

  /** Whether most wait for the store. Otherwise, with an event loop that has time, they wait for their agents. */
  get #waitsForStore(): boolean {
    return this.#registering.size > 0 && this.#registering.size * 2 >= this.#inProgress;
  }

  get #inProgress(): number {
    return this.#served.size + this.#working.size;
  }

  /** How many can be served in time. */
  get #room(): number {
    return (this.rate * WAIT_MS) / 1_000;
  }

  #shed(): C[] {
    const shed: C[] = [];
    if (this.waiting <= this.#room) return shed;
    const lastFirst = [...this.#waiting.keys()].reverse();
    for (let size = this.#bySize.length - 1; size > 0; size--) {
      const ofSize = this.#bySize[size];
      if (ofSize === undefined || ofSize.size === 0) continue;
      for (const network of lastFirst) {
        if (this.waiting <= this.#room) return shed;
        const newest = ofSize.has(network) ? this.#newestOf(network) : undefined;
        if (newest === undefined) continue;
        this.#remove(newest);
        shed.push(newest);
      }
    }
    return shed;
  }

  #first(): C | undefined {
    for (const connections of this.#waiting.values()) for (const connection of connections) return connection;
    return undefined;
  }

  #add(connection: C, network: string): void {
    const own = this.#waiting.get(network) ?? new Set();
    this.#resize(network, own.size, own.size + 1);
    own.add(connection);
    this.#networks.set(connection, network);
    this.#waiting.set(network, own);
  }

  #toFront(network: string): void {
    const others = [...this.#waiting].filter(([other]) => other !== network);
    for (const [other, connections] of others) {
      this.#waiting.delete(other);
      this.#waiting.set(other, connections);
    }
  }

  #remove(connection: C): void {
    const network = this.#networks.get(connection);
    const own = network === undefined ? undefined : this.#waiting.get(network);
    if (network === undefined || own === undefined) return;
    this.#networks.delete(connection);
    this.#resize(network, own.size, own.size - 1);
    own.delete(connection);
    // Its next one comes after one of each other network.
    this.#waiting.delete(network);
    if (own.size > 0) this.#waiting.set(network, own);
  }

  #resize(network: string, from: number, to: number): void {
    this.#bySize[from]?.delete(network);
    if (to === 0) return;
    const ofSize = this.#bySize[to];
    if (ofSize === undefined) this.#bySize[to] = new Set([network]);
    else ofSize.add(network);
  }

  /** @returns undefined when the newcomer's network would have most */
  #newestOfLargest(newcomers: string): C | undefined {
    let size = this.#bySize.length - 1;
    while (size > 0 && (this.#bySize[size]?.size ?? 0) === 0) size--;
    this.#bySize.length = Math.max(0, size + 1);
    if (size <= (this.#waiting.get(newcomers)?.size ?? 0) + 1) return undefined;
    for (const largest of this.#bySize[size] ?? []) return this.#newestOf(largest);
    return undefined;
  }

  #newestOf(network: string): C | undefined {
    return [...(this.#waiting.get(network) ?? [])].at(-1);
  }
}
