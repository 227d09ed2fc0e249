import ipaddr from 'ipaddr.js';
import { untilAborted } from '../lib/abort.js';
import { LIMITS } from '../protocol/index.js';
import type { DialFailure } from './agent-events.js';
import { connectToAny } from './dial/connect-to-any.js';
import type { Dialer, Wire } from './dial/dialer.js';
import { isConnectionRefused, plainReason } from './dial/plain-reason.js';
import { type LinkFailure, ServerLink, type ServerLinkParts } from './server-link.js';

/** What a session is made of. All sessions of an agent share most of it. */
export interface SessionParts extends ServerLinkParts {
  readonly dialer: Dialer;
  readonly port: number;
}

/** What one session is to do. */
export interface SessionOrder {
  /** The number of the dial, in events. */
  readonly id: number;
  readonly host: string;
  /** The field `connectionTransferred` of Startup. */
  readonly transferred: boolean;
  /** The remote address that must not be reached: that of the link which the session is to replace. */
  readonly unlike: string | undefined;
  /** When the name has that address and others, the others are tried; otherwise the agent counts as being there. */
  readonly leavesServer: boolean;
  /** Addresses of the name are tried beside each other. */
  readonly isUrgent: boolean;
}

/** The host is another name of the server that must not be reached. */
class SameServerError extends Error {
  override readonly name = 'SameServerError';
}

/**
 * One dial and the link that comes of it. A name may have several addresses: the dial goes on with the next one when one
 * fails before Ready.
 *
 *     connecting ─TCP─▶ connected ─proceed()─▶ linked ─▶ ended
 *         ▲                                      │ failed before Ready, and there are further addresses
 *         └──────────────────────────────────────┘
 */
export class Session {
  readonly id: number;
  readonly #order: SessionOrder;
  readonly #parts: SessionParts;
  #phase: 'connecting' | 'connected' | 'linked' | 'ended' = 'connecting';
  /** Ends the lookup and the connects; undefined while none is under way. */
  #abort: AbortController | undefined = new AbortController();
  /** Addresses of the host that are still to be tried. */
  #untried: readonly string[] = [];
  /** The last TCP connection. */
  #wire: Wire | undefined;
  #link: ServerLink | undefined;

  constructor(order: SessionOrder, parts: SessionParts) {
    this.id = order.id;
    this.#order = order;
    this.#parts = parts;
  }

  start(): void {
    this.#attempt(this.#run());
  }

  get remoteAddress(): string | undefined {
    return this.#wire?.remote.address;
  }

  /** Whether commands are in progress that would be lost with the link. */
  get busy(): boolean {
    return this.#link?.busy ?? false;
  }

  /** Registers the agent over the TCP connection, which is open. */
  proceed(): void {
    if (this.#phase !== 'connected' || this.#wire === undefined) return;
    const { id, host, transferred } = this.#order;
    this.#phase = 'linked';
    this.#abort = undefined;
    const link = new ServerLink({ id, host, transferred, wire: this.#wire }, this.#parts, failure =>
      this.#onLinkFailure(failure),
    );
    this.#link = link;
    link.start();
  }

  /** The server has had its time. */
  giveUp(why: string): void {
    if (this.#link === undefined) this.#fail(new Error(why));
    else this.#link.giveUp(why);
  }

  /** Sends a ping now, beside the regular ones. */
  ping(): void {
    this.#link?.ping();
  }

  /** Sends a ping out of turn: the resource has something to report. */
  report(): void {
    this.#link?.report();
  }

  /** Ends the session at once, without an event. */
  drop(why: string): void {
    this.#end();
    this.#link?.drop(why);
  }

  /** Ends the session with a FIN, once its commands are answered: see `ServerLink`. Causes no event. */
  async retire(): Promise<void> {
    await this.#link?.retire();
    this.#end();
  }

  /** Sends no more pings. */
  quiesce(): void {
    this.#link?.quiesce();
  }

  /** Tells a Ready server by ShutdownCommand that the agent stops, and ends the link. Causes no event. */
  shutDown(): void {
    this.#end();
    this.#link?.shutDown();
  }

  /** Looks up the host, and connects to the first of its addresses, within `LIMITS.connectMs` for both. */
  async #run(): Promise<void> {
    const { clock, dialer } = this.#parts;
    const { host, unlike, leavesServer } = this.#order;
    const from = clock.now();
    const addresses = await untilAborted(dialer.addresses(host), this.#abort?.signal);
    const elsewhere = addresses.filter(address => !isSameAddress(address, unlike));
    if (elsewhere.length === 0 || (elsewhere.length < addresses.length && !leavesServer)) throw new SameServerError();
    this.#untried = [...new Set(elsewhere)];
    await this.#connect(LIMITS.connectMs - (clock.now() - from));
  }

  async #connect(limitMs: number): Promise<void> {
    const { clock, dialer, port } = this.#parts;
    this.#abort ??= new AbortController();
    const { signal } = this.#abort;
    const addresses = this.#untried;
    // When all of them fail, none is left.
    this.#untried = [];
    const { wire, untried } = await connectToAny(addresses, {
      clock,
      // Async: one of a program's own may throw in place of rejecting.
      connect: async (address, attempt) => dialer.connect(address, port, attempt),
      staggerMs: this.#order.isUrgent ? LIMITS.connectStaggerMs : undefined,
      limitMs,
      signal,
    });
    this.#untried = untried;
    this.#wire = wire;
    if (signal.aborted) {
      wire.destroy();
      return;
    }
    this.#phase = 'connected';
    this.#parts.onEvent({ kind: 'connected', id: this.id });
  }

  /** What fails when the session has ended means nothing. */
  #attempt(work: Promise<void>): void {
    work.catch(error => this.#fail(error));
  }

  /** The dial has failed before TLS. */
  #fail(error: unknown): void {
    if (this.#phase === 'ended') return;
    const why = plainReason(error, false);
    const how = this.#wire === undefined && isConnectionRefused(error) ? 'connection-refused' : 'other';
    if (!(error instanceof SameServerError)) {
      this.#onFailed(why, how);
      return;
    }
    this.#end();
    this.#parts.onEvent({ kind: 'same-server', id: this.id });
  }

  #onLinkFailure(failure: LinkFailure): void {
    if (this.#phase === 'ended') return;
    if (failure.kind === 'failed') {
      this.#onFailed(failure.why, failure.how);
      return;
    }
    this.#end();
    this.#parts.onEvent({ ...failure, id: this.id });
  }

  #onFailed(why: string, how: DialFailure): void {
    const { id } = this;
    if (this.#untried.length === 0 || how === 'enrolled') {
      this.#end();
      this.#parts.onEvent({ kind: 'dial-failed', id, why, how });
      return;
    }
    if (this.#link === undefined) this.#wire?.destroy();
    this.#link = undefined;
    this.#phase = 'connecting';
    this.#parts.onEvent({ kind: 'address-failed', id, why: `${this.remoteAddress ?? ''}: ${why}` });
    this.#attempt(this.#connect(LIMITS.connectMs));
  }

  #end(): void {
    this.#phase = 'ended';
    this.#abort?.abort(new Error('the link has ended'));
    if (this.#link === undefined) this.#wire?.destroy();
  }
}

/** Compares addresses. An IPv4 address equals its IPv6-mapped form. */
function isSameAddress(address: string, other: string | undefined): boolean {
  if (other === undefined || !ipaddr.isValid(address) || !ipaddr.isValid(other)) return address === other;
  return ipaddr.process(address).toNormalizedString() === ipaddr.process(other).toNormalizedString();
}
