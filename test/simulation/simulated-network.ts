import type { Random } from '../../src/lib/random.js';
import { MGMT_LIMITS } from '../../src/mgmt/config/limits.js';
import type { RemoteEnd } from '../../src/protocol/index.js';
import { type Hello, type Segment, SimulatedEnd, type Welcome } from './simulated-end.js';
import type { SimulatedProcess } from './simulated-process.js';
import { PHASE, type World } from './world.js';

/**
 * What becomes of what one machine sends to another. `stalled`: something on the way takes it and does not pass it on.
 * `blackhole`: it is lost, and the sender's kernel notices that nothing is acknowledged.
 */
export type PathState = 'open' | 'stalled' | 'blackhole';

interface Path {
  state: PathState;
  /** Beside what each path takes. */
  delayMs: number;
  /** When it came to its state. */
  since: number;
}

/** Whoever listens on a port. */
export interface Listener {
  readonly process: SimulatedProcess;
  readonly port: number;
  /** @returns undefined: the connection is closed */
  accept(end: SimulatedEnd, hello: Hello): Welcome | undefined;
}

interface PendingDial {
  readonly from: string;
  readonly to: string;
  attempt(): void;
}

const LATENCY_MS = { least: 0.2, more: 2 };
/** Node's keepalive: after 5 s idle, ten probes, a second apart. */
const KEEPALIVE_MS = 15_000;
const KEEPALIVE_IDLE_MS = 5_000;
/** Linux gives up a connection whose bytes are not acknowledged for so long. */
const RETRANSMISSION_MS = 924_000;
/** So long after the first loss, three retransmissions have been made. */
const UNACKNOWLEDGED_MS = 3_000;

/** TCP between machines, by their addresses. */
export class SimulatedNetwork {
  readonly world: World;
  readonly #random: Random;
  readonly #cuts: Random;
  readonly #paths = new Map<string, Path>();
  readonly #listeners = new Map<string, Listener>();
  readonly #without = new Set<string>();
  readonly #pending = new Set<PendingDial>();
  readonly ends = new Set<SimulatedEnd>();
  #port = 40_000;
  /** Packets arrive in pieces. */
  isTearing = false;

  constructor(world: World) {
    this.world = world;
    this.#random = world.random('network');
    this.#cuts = world.random('cuts');
  }

  // ---- what it is made of

  listen(address: string, listener: Listener): void {
    this.#listeners.set(address, listener);
  }

  unlisten(address: string): void {
    this.#listeners.delete(address);
  }

  isListening(address: string): boolean {
    return this.#listeners.has(address);
  }

  /**
   * Connects from one machine to another.
   * @throws Error ECONNREFUSED, or the signal's reason
   */
  dial(process: SimulatedProcess, from: string, to: string, port: number, signal: AbortSignal): Promise<SimulatedEnd> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const settle = () => {
        this.#pending.delete(dial);
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = () => {
        settle();
        reject(signal.reason);
      };
      const arrive = () => {
        if (!process.isAlive || !this.#pending.has(dial) || !this.#isPassable(from, to)) return;
        this.#pending.delete(dial);
        const listener = this.#listeners.get(to);
        if (listener === undefined || listener.port !== port || !listener.process.isAlive) {
          const refused = Object.assign(new Error(`connect ECONNREFUSED ${to}:${port}`), { code: 'ECONNREFUSED' });
          process.receive(this.latency(), () => {
            settle();
            reject(refused);
          });
          return;
        }
        const end = this.#connect(process, { address: from, port: this.#port++ }, listener, { address: to, port });
        process.receive(this.latency(), () => {
          settle();
          // Nobody wants it any more since it was on its way.
          if (signal.aborted) end.destroy();
          else resolve(end);
        });
      };
      const dial: PendingDial = {
        from,
        to,
        attempt: () => void this.world.plan(this.latency() + this.#path(from, to).delayMs, PHASE.io, undefined, arrive),
      };
      this.#pending.add(dial);
      signal.addEventListener('abort', onAbort, { once: true });
      dial.attempt();
    });
  }

  /** A process has ended. @param isPowerCut nobody is told */
  ended(process: SimulatedProcess, isPowerCut: boolean): void {
    for (const [address, listener] of this.#listeners) {
      if (listener.process === process) this.#listeners.delete(address);
    }
    for (const end of [...this.ends]) if (end.process === process) end.processEnded(isPowerCut);
  }

  // ---- faults

  setPath(from: string, to: string, state: PathState): void {
    const path = this.#path(from, to);
    path.state = state;
    path.since = this.world.now;
    if (state !== 'open') {
      for (const end of this.ends) if (end.local.address === from && end.remote.address === to) end.cut('kept');
    }
    this.#changed(from, to, state !== 'blackhole');
  }

  setDelay(from: string, to: string, delayMs: number): void {
    this.#path(from, to).delayMs = delayMs;
  }

  /** All connections between two machines are reset, as by a firewall that restarts. */
  reset(one: string, other: string): void {
    const ends = [...this.ends].filter(({ local, remote }) => {
      const [from, to] = [local.address, remote.address];
      return (from === one && to === other) || (from === other && to === one);
    });
    for (const end of ends) end.cut('lost');
    for (const end of ends) end.wasReset('ECONNRESET');
  }

  machineIsDown(address: string): void {
    this.#without.add(address);
    for (const end of this.ends) if (end.remote.address === address) this.#watch(end);
  }

  machineIsUp(address: string): void {
    if (!this.#without.delete(address)) return;
    for (const end of [...this.ends]) {
      if (end.remote.address === address) this.#changed(end.local.address, address, true);
    }
    for (const dial of [...this.#pending]) if (dial.to === address) dial.attempt();
  }

  heal(): void {
    this.isTearing = false;
    for (const [key, path] of this.#paths) {
      const [from = '', to = ''] = key.split('>');
      path.delayMs = 0;
      if (path.state !== 'open') this.setPath(from, to, 'open');
    }
  }

  // ---- for the ends

  latency(): number {
    return LATENCY_MS.least + this.#random.uniform() * LATENCY_MS.more;
  }

  /** Where a packet is torn, so many bytes from its beginning; 0: it is not. */
  tearAt(bytes: number): number {
    return this.isTearing && bytes > 1 ? 1 + this.#random.int(bytes - 1) : 0;
  }

  /** What of segments on their way arrives when the way is cut: none, some, all, or some and a part of a packet. */
  cutOf(segments: readonly Segment[]): { readonly arriving: readonly Segment[]; readonly left: readonly Segment[] } {
    if (segments.length === 0) return { arriving: [], left: [] };
    const whole = this.#cuts.int(segments.length + 1);
    const [arriving, left] = [segments.slice(0, whole), segments.slice(whole)];
    const [next, ...others] = left;
    if (next?.kind !== 'piece' || next.bytes.length < 2 || this.#cuts.int(4) === 0) return { arriving, left };
    const at = 1 + this.#cuts.int(next.bytes.length - 1);
    const [first, rest] = [next.bytes.subarray(0, at), next.bytes.subarray(at)];
    return {
      arriving: [...arriving, { ...next, bytes: first }],
      left: [{ kind: 'piece', bytes: rest, begins: undefined }, ...others],
    };
  }

  /** Whether something that is sent now arrives. */
  canSend({ local, remote }: SimulatedEnd): boolean {
    return this.#path(local.address, remote.address).state === 'open' && !this.#without.has(remote.address);
  }

  delayOf({ local, remote }: SimulatedEnd): number {
    return this.#path(local.address, remote.address).delayMs;
  }

  isUnacknowledged(end: SimulatedEnd): boolean {
    const lostSince = this.#lostSince(end);
    const from = Math.max(lostSince, end.heldSince);
    return end.queuedBytes > 0 && this.world.now - from >= UNACKNOWLEDGED_MS;
  }

  /** The listener that an end belongs to, if it is still there. */
  listenerOf(end: SimulatedEnd): Listener | undefined {
    const listener = this.#listeners.get(end.local.address);
    return listener?.process === end.process ? listener : undefined;
  }

  #connect(process: SimulatedProcess, local: RemoteEnd, listener: Listener, remote: RemoteEnd): SimulatedEnd {
    const client = new SimulatedEnd(this, process, local, remote);
    const server = new SimulatedEnd(this, listener.process, remote, local);
    client.peer = server;
    server.peer = client;
    server.expectHello(MGMT_LIMITS.firstByteMs);
    this.ends.add(client).add(server);
    return client;
  }

  #isPassable(from: string, to: string): boolean {
    return (
      !this.#without.has(to) && ![this.#path(from, to), this.#path(to, from)].some(({ state }) => state === 'blackhole')
    );
  }

  #path(from: string, to: string): Path {
    const key = `${from}>${to}`;
    const known = this.#paths.get(key);
    if (known !== undefined) return known;
    const path: Path = { state: 'open', delayMs: 0, since: 0 };
    this.#paths.set(key, path);
    return path;
  }

  /** Since when nothing of this end's is acknowledged; Infinity: it is. */
  #lostSince({ local, remote }: SimulatedEnd): number {
    const lost = [this.#path(local.address, remote.address), this.#path(remote.address, local.address)].filter(
      ({ state }) => state === 'blackhole',
    );
    if (this.#without.has(remote.address)) return 0;
    return lost.length === 0 ? Number.POSITIVE_INFINITY : Math.min(...lost.map(({ since }) => since));
  }

  #changed(from: string, to: string, isBetter: boolean): void {
    for (const end of [...this.ends]) {
      const [local, remote] = [end.local.address, end.remote.address];
      const isOfPath = (local === from && remote === to) || (local === to && remote === from);
      if (!isOfPath) continue;
      if (isBetter) end.flush();
      else this.#watch(end);
      // Its peer has given up meanwhile: a probe or the next packet shows it.
      if (end.peer?.isGone)
        this.world.plan(this.#random.uniform() * KEEPALIVE_IDLE_MS, PHASE.io, undefined, () => {
          if (this.canSend(end) && end.peer?.isGone) end.wasReset('ECONNRESET');
        });
    }
    if (isBetter) {
      for (const dial of [...this.#pending]) {
        if ((dial.from === from && dial.to === to) || (dial.from === to && dial.to === from)) dial.attempt();
      }
    }
  }

  /** The kernel notices after a while that the other machine is not there. */
  #watch(end: SimulatedEnd): void {
    const look = (afterMs: number, givesUp: () => boolean) =>
      this.world.plan(afterMs, PHASE.io, undefined, () => {
        if (Number.isFinite(this.#lostSince(end)) && givesUp()) end.wasReset('ETIMEDOUT');
      });
    const { now } = this.world;
    const isSameLoss = () => this.#lostSince(end) <= now;
    look(KEEPALIVE_MS, () => isSameLoss() && end.queuedBytes === 0);
    look(RETRANSMISSION_MS, isSameLoss);
  }
}
