import { Admission } from '#dist/lib/admission.js';
import { Turns } from '#dist/mgmt/agents/admission/turns.js';
import { MGMT_LIMITS } from '#dist/mgmt/config/limits.js';
import { KeyedHeap } from './keyed-heap.js';

/** A connection, as its server sees it. */
export interface Connection {
  /** What its address is for the admission. */
  readonly network: string;
  /** Its part of the mean work of a connection. */
  readonly work: number;
  stage: 'unread' | 'handshake' | 'startup' | 'over';
  /** Its agent has left, and the server has not read that yet. */
  isAbandoned: boolean;
}

/** What a server does to connections. */
export interface ServerEvents<C extends Connection> {
  secured(connection: C, now: number): void;
  ready(connection: C, now: number): void;
  closed(connection: C, now: number): void;
  /** Calls `wake` at a time, which is the next that it wants to know of. */
  wakeAt(server: ModelledServer<C>, at: number): void;
}

/** `all`: works on all connections at once, as CloudStack's server does; `turns`: by Muster's admission. */
export type Admitting = 'all' | 'turns';

/** Muster's admission: who may stay, and whose turn it is. */
interface Admitted<C> {
  readonly strangers: Admission<C>;
  readonly turns: Turns<C>;
}

/** TLS's part of the work until Ready; the rest is Startup, the store and Ready. */
const HANDSHAKE_PART = 1 / 3;

/**
 * A management server that brings `rate` connections a second to Ready, and shares its time equally among those that it works on: with
 * n of them each gets 1 / n of it. Work that was done for a connection that ends before Ready is lost.
 *
 * Equal shares make the order of their ends known from the start: `#attained` is the work that one connection has got that
 * was there all the time, and one that begins at `a` and needs `w` ends when it is `a + w`.
 */
export class ModelledServer<C extends Connection> {
  readonly #rate: number;
  readonly #events: ServerEvents<C>;
  readonly #admission: Admitted<C> | undefined;
  readonly #ends = new KeyedHeap<C>();
  #worked = 0;
  #attained = 0;
  #at = 0;
  #busyMs = 0;
  #measureAt: number | undefined;

  constructor(rate: number, admitting: Admitting, events: ServerEvents<C>) {
    this.#rate = rate;
    this.#events = events;
    this.#admission = admitting === 'turns' ? { turns: new Turns(), strangers: new Admission() } : undefined;
  }

  accept(connection: C, now: number): void {
    this.#advance(now);
    if (this.#admission === undefined) this.#begin(connection);
    else if (this.#isLetIn(connection, this.#admission, now)) this.#beginNext(now);
    this.#sleep(now);
  }

  /** The agent has closed it. What is read shows that at once; what waits unread, when its turn comes. */
  abandon(connection: C, now: number): void {
    this.#advance(now);
    connection.isAbandoned = true;
    if (connection.stage !== 'unread') this.#end(connection, now);
    this.#sleep(now);
  }

  /** The time of `wakeAt` has come. */
  wake(now: number): void {
    this.#advance(now);
    for (;;) {
      const connection = this.#ends.first;
      if (connection === undefined || (this.#ends.firstKey ?? 0) > this.#attained + 1e-9) break;
      this.#ends.pop();
      if (connection.stage === 'over') continue;
      if (connection.stage === 'handshake') {
        connection.stage = 'startup';
        this.#admission?.turns.works(connection);
        this.#admission?.turns.registered(connection);
        this.#ends.push(this.#attained + connection.work * (1 - HANDSHAKE_PART), connection);
        this.#events.secured(connection, now);
      } else {
        this.#end(connection, now, true);
        this.#events.ready(connection, now);
      }
    }
    if (this.#admission !== undefined && this.#measureAt !== undefined && now >= this.#measureAt)
      this.#measure(now, this.#admission.turns);
    this.#sleep(now);
  }

  #isLetIn(connection: C, { turns, strangers }: Admitted<C>, now: number): boolean {
    const bounds = {
      total: MGMT_LIMITS.newConnections,
      perNetwork: Math.floor(MGMT_LIMITS.newConnections / MGMT_LIMITS.networksAtFullShare),
    };
    const verdict = strangers.arrive(connection, connection.network, now, bounds);
    for (const evicted of verdict.evicted) this.#close(evicted, now);
    if (!verdict.isAdmitted) {
      this.#close(connection, now);
      return false;
    }
    const turn = turns.arrive(connection, connection.network);
    if (turn.evicted !== undefined) this.#close(turn.evicted, now);
    if (!turn.isAdmitted) this.#close(connection, now);
    return turn.isAdmitted;
  }

  #beginNext(now: number): void {
    if (this.#admission === undefined) return;
    const { turns } = this.#admission;
    for (let begun = turns.next(now); begun.length > 0; begun = turns.next(now)) {
      for (const connection of begun) {
        if (connection.isAbandoned) this.#forget(connection);
        else this.#begin(connection);
      }
    }
    if (this.#measureAt === undefined && !turns.isIdle) this.#measureIn(now);
  }

  #measure(now: number, turns: Turns<C>): void {
    const utilization = Math.min(1, this.#busyMs / MGMT_LIMITS.turnsMeasuredMs);
    this.#measureIn(now);
    for (const shed of turns.measure(now, utilization)) this.#close(shed, now);
    this.#beginNext(now);
    if (!turns.isIdle) return;
    this.#measureAt = undefined;
    turns.rest();
  }

  #measureIn(now: number): void {
    this.#busyMs = 0;
    this.#measureAt = now + MGMT_LIMITS.turnsMeasuredMs;
  }

  #begin(connection: C): void {
    connection.stage = 'handshake';
    this.#worked++;
    this.#ends.push(this.#attained + connection.work * HANDSHAKE_PART, connection);
  }

  #close(connection: C, now: number): void {
    this.#end(connection, now);
    this.#events.closed(connection, now);
  }

  #end(connection: C, now: number, isReady = false): void {
    if (connection.stage === 'handshake' || connection.stage === 'startup') this.#worked--;
    this.#forget(connection, isReady);
    this.#beginNext(now);
  }

  #forget(connection: C, isReady = false): void {
    connection.stage = 'over';
    this.#admission?.strangers.leave(connection);
    this.#admission?.turns.leave(connection, isReady);
  }

  #advance(now: number): void {
    const passed = now - this.#at;
    this.#at = now;
    if (this.#worked === 0) return;
    this.#busyMs += passed;
    this.#attained += (passed * this.#rate) / 1_000 / this.#worked;
  }

  #sleep(now: number): void {
    while (this.#ends.first?.stage === 'over') this.#ends.pop();
    const nextEnd = this.#ends.firstKey;
    const endsAt =
      nextEnd === undefined
        ? Number.POSITIVE_INFINITY
        : now + (Math.max(0, nextEnd - this.#attained) * this.#worked * 1_000) / this.#rate;
    const at = Math.min(endsAt, this.#measureAt ?? Number.POSITIVE_INFINITY);
    if (at < Number.POSITIVE_INFINITY) this.#events.wakeAt(this, at);
  }
}
