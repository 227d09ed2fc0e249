import type { X509Certificate } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import type { Clock, Timer } from '../../src/lib/clock.js';
import {
  LIMITS,
  PacketAssembler,
  ProtocolError,
  type RemoteEnd,
  type Transport,
  type TransportListener,
} from '../../src/protocol/index.js';
import type { HostCertificate } from './certificates.js';
import type { SimulatedNetwork } from './simulated-network.js';
import type { SimulatedProcess } from './simulated-process.js';
import { type Happening, PHASE } from './world.js';

/** What a client shows in its handshake: certificates are facts here. */
export type Hello =
  | { readonly kind: 'agent'; readonly certificate: HostCertificate | undefined }
  | { readonly kind: 'server'; readonly msid: number };

/** What a server shows. */
export interface Welcome {
  readonly certificate: X509Certificate;
}

/** A TLS context of a simulated process: it has what the process shows. */
export class SimulatedContext implements SecureContext {
  readonly context = undefined;
  readonly hello: Hello;
  /** For a dial that only looks, as the doctor's do: it becomes no link. */
  readonly isLook: boolean;

  constructor(hello: Hello, { isLook = false } = {}) {
    this.hello = hello;
    this.isLook = isLook;
  }
}

export type Segment =
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'welcome'; readonly welcome: Welcome }
  /** @param begins bytes of the packet, in its first piece */
  | { readonly kind: 'piece'; readonly bytes: Buffer; readonly begins: number | undefined }
  | { readonly kind: 'fin' }
  | { readonly kind: 'reset' };

/** Something on its way to the other end. */
interface Flight {
  readonly segment: Segment;
  readonly arrival: Happening;
}

type Arrival = { readonly packet: Buffer } | { readonly error: Error | undefined };

/** One end of a connection, as a transport of whole packets. TLS is left out of it; what it proves are facts of the handshake. */
export class SimulatedEnd implements Transport {
  readonly process: SimulatedProcess;
  readonly local: RemoteEnd;
  readonly remote: RemoteEnd;
  peer: SimulatedEnd | undefined;
  /** It has ended, and the other side may not know. */
  isGone = false;
  /** Since when something waits that cannot be sent. */
  heldSince = 0;
  /** Called when a packet is read. */
  onPacket: () => void = () => {};
  /** Who has ended it first. */
  endedBy: 'this' | 'peer' | 'network' | undefined;
  readonly #network: SimulatedNetwork;
  readonly #assembler = new PacketAssembler();
  readonly #arrivals: Arrival[] = [];
  #state: 'open' | 'closing' | 'closed' = 'open';
  #listener: TransportListener | undefined;
  #isDelivering = false;
  #held: Segment[] = [];
  readonly #flying: Flight[] = [];
  #lastArrival = 0;
  #linger: Timer | undefined;
  #isGreeted = false;
  #onWelcome: ((outcome: Welcome | Error) => void) | undefined;

  constructor(network: SimulatedNetwork, process: SimulatedProcess, local: RemoteEnd, remote: RemoteEnd) {
    this.#network = network;
    this.process = process;
    this.local = local;
    this.remote = remote;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  // ---- the handshake

  /** @throws ProtocolError HANDSHAKE_TIMEOUT, HANDSHAKE_CLOSED; Error ETIMEDOUT */
  secure(hello: Hello, options: { readonly clock: Clock; readonly handshakeTimeoutMs: number }): Promise<Welcome> {
    return new Promise((resolve, reject) => {
      const due = options.clock.after(options.handshakeTimeoutMs, () => {
        const { handshakeTimeoutMs } = options;
        this.#onWelcome?.(
          new ProtocolError('HANDSHAKE_TIMEOUT', `no TLS handshake within ${handshakeTimeoutMs / 1000} s`),
        );
        this.destroy();
      });
      this.#onWelcome = outcome => {
        due.cancel();
        this.#onWelcome = undefined;
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome);
      };
      if (this.#state !== 'open') this.#onWelcome(closedInHandshake());
      else this.#emit({ kind: 'hello', hello });
    });
  }

  isUnacknowledged(): boolean {
    return this.#network.isUnacknowledged(this);
  }

  // ---- the transport

  get queuedBytes(): number {
    return this.#held.reduce((sum, segment) => sum + (segment.kind === 'piece' ? segment.bytes.length : 1), 0);
  }

  listen(listener: TransportListener): void {
    this.#listener = listener;
    this.#deliver();
  }

  send(packet: Buffer): void {
    if (this.#state !== 'open') return;
    const at = this.#network.tearAt(packet.length);
    if (at > 0) this.#emit({ kind: 'piece', bytes: packet.subarray(0, at), begins: packet.length });
    this.#emit({ kind: 'piece', bytes: packet.subarray(at), begins: at > 0 ? undefined : packet.length });
  }

  raiseLimits(): void {}

  charge(): void {}

  close(): void {
    if (this.#state !== 'open') return;
    this.endedBy ??= 'this';
    this.#state = 'closing';
    this.#emit({ kind: 'fin' });
    // The kernel's affair by then.
    this.#linger = this.#network.world.clock.after(LIMITS.lingerMs, () => this.#end(undefined));
  }

  destroy(): void {
    if (this.#state === 'closed') return;
    this.endedBy ??= 'this';
    this.#held = [];
    this.#emit({ kind: 'reset' });
    this.#end(undefined);
  }

  // ---- what happens to it

  /** The end of a server: a connection that has not begun its handshake by then is closed. */
  expectHello(withinMs: number): void {
    this.process.plan(withinMs, PHASE.timers, () => {
      if (!this.#isGreeted) this.destroy();
    });
  }

  /** The path is open again. */
  flush(): void {
    if (!this.#network.canSend(this)) return;
    const held = this.#held;
    this.#held = [];
    for (const segment of held) this.#emit(segment);
  }

  /**
   * The way is cut: of what is on its way only a part arrives, which may end at any byte of a packet.
   * @param rest `kept`: it is sent again when the way is open; `lost`: nobody sends it any more
   */
  cut(rest: 'kept' | 'lost'): void {
    const flying = this.#flying.splice(0);
    for (const { arrival } of flying) arrival.run = undefined;
    const segments = this.#network.cutOf(flying.map(({ segment }) => segment));
    for (const segment of segments.arriving) this.#arrives(segment);
    this.#lastArrival = this.#network.world.now;
    if (rest === 'lost' || segments.left.length === 0) return;
    if (this.#held.length === 0) this.heldSince = this.#network.world.now;
    this.#held.unshift(...segments.left);
  }

  /** Its kernel has given it up. */
  wasReset(code: 'ECONNRESET' | 'ETIMEDOUT'): void {
    if (this.#state === 'closed') return;
    this.endedBy ??= 'network';
    this.#held = [];
    this.isGone = true;
    const error = Object.assign(new Error(code === 'ETIMEDOUT' ? 'read ETIMEDOUT' : 'read ECONNRESET'), { code });
    this.process.receive(0, () => this.#end(error));
  }

  processEnded(isPowerCut: boolean): void {
    if (this.#state === 'open') this.cut('lost');
    if (this.#state !== 'closed' && !isPowerCut) this.#emit({ kind: 'reset' });
    this.#state = 'closed';
    this.isGone = true;
    this.#network.ends.delete(this);
  }

  #emit(segment: Segment): void {
    const network = this.#network;
    if (!network.canSend(this)) {
      if (this.#held.length === 0) this.heldSince = network.world.now;
      this.#held.push(segment);
      return;
    }
    const due = Math.max(network.world.now + network.latency() + network.delayOf(this), this.#lastArrival);
    this.#lastArrival = due;
    const arrival = network.world.plan(due - network.world.now, PHASE.io, undefined, () => {
      this.#flying.shift();
      this.#arrives(segment);
    });
    this.#flying.push({ segment, arrival });
  }

  #arrives(segment: Segment): void {
    const { peer } = this;
    if (peer === undefined) return;
    if (!peer.process.isAlive || peer.isClosed) {
      // A kernel that knows nothing of the connection says so.
      if (segment.kind !== 'reset' && segment.kind !== 'fin') this.wasReset('ECONNRESET');
      return;
    }
    peer.process.receive(0, () => peer.#take(segment));
  }

  #take(segment: Segment): void {
    if (this.#state === 'closed') return;
    switch (segment.kind) {
      case 'hello': {
        this.#isGreeted = true;
        const welcome = this.#network.listenerOf(this)?.accept(this, segment.hello);
        if (welcome === undefined) this.destroy();
        else this.#emit({ kind: 'welcome', welcome });
        return;
      }
      case 'welcome':
        this.#onWelcome?.(segment.welcome);
        return;
      case 'piece':
        if (segment.begins !== undefined) this.#assembler.frame(segment.begins, false);
        for (const packet of this.#assembler.push(segment.bytes)) this.#arrive({ packet });
        return;
      case 'fin':
        this.endedBy ??= 'peer';
        if (this.#state === 'open' && this.#onWelcome === undefined) this.#emit({ kind: 'fin' });
        this.#arrive({ error: undefined });
        return;
      case 'reset':
        this.endedBy ??= 'peer';
        this.#arrive({ error: Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }) });
        return;
    }
  }

  #arrive(arrival: Arrival): void {
    if (this.#onWelcome !== undefined && 'error' in arrival) {
      this.#end(arrival.error);
      return;
    }
    this.#arrivals.push(arrival);
    this.#deliver();
  }

  /** In their order, and not within a call of the listener's. */
  #deliver(): void {
    if (this.#isDelivering || this.#listener === undefined) return;
    this.#isDelivering = true;
    queueMicrotask(() => {
      this.#isDelivering = false;
      const arrival = this.#arrivals.shift();
      if (arrival === undefined || this.#state === 'closed') return;
      if ('error' in arrival) this.#end(arrival.error);
      else {
        if (this.#state === 'open') {
          this.onPacket();
          this.#listener?.onPacket(arrival.packet);
        }
        this.#deliver();
      }
    });
  }

  #end(error: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#linger?.cancel();
    this.#network.ends.delete(this);
    this.#onWelcome?.(error ?? closedInHandshake());
    this.process.receive(0, () => this.#listener?.onClose(error));
  }
}

function closedInHandshake(): ProtocolError {
  return new ProtocolError('HANDSHAKE_CLOSED', 'the peer closed during the TLS handshake');
}
