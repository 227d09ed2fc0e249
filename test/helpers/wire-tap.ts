import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { type Frame, FrameDecoder, type Unit } from '../../src/protocol/frame.js';

/** A wire between two ends that records what travels, and can cut it into pieces or hold it back. */
export interface Wire {
  readonly agentEnd: Duplex;
  readonly serverEnd: Duplex;
  readonly toServer: Lane;
  readonly toAgent: Lane;
}

/** One direction of a wire. */
export class Lane {
  readonly #chunks: Buffer[] = [];
  readonly #step: number;
  readonly #write: (piece: Buffer) => void;
  #held: Buffer[] | undefined;

  constructor(step: number, write: (piece: Buffer) => void) {
    this.#step = step;
    this.#write = write;
  }

  carry(chunk: Buffer): void {
    this.#chunks.push(chunk);
    if (this.#held) this.#held.push(chunk);
    else for (let at = 0; at < chunk.length; at += this.#step) this.#write(chunk.subarray(at, at + this.#step));
  }

  /** From now on nothing arrives. */
  hold(): void {
    this.#held = [];
  }

  /** What was held arrives, as one chunk. */
  release(): void {
    const held = Buffer.concat(this.#held ?? []);
    this.#held = undefined;
    if (held.length > 0) this.#write(held);
  }

  /** How many writes there have been. */
  get writes(): number {
    return this.#chunks.length;
  }

  /** All bytes so far. */
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** What they mean. */
  get units(): Unit[] {
    return new FrameDecoder().push(this.bytes);
  }

  get frames(): Frame[] {
    return this.units.filter(unit => unit.kind === 'frame');
  }
}

/** A wire in memory; what arrives, arrives in pieces of at most `step` bytes. */
export function memoryWire(step = Number.POSITIVE_INFINITY): Wire {
  const [agentEnd, agentTap] = duplexPair();
  const [serverEnd, serverTap] = duplexPair();
  return tapBetween(agentEnd, agentTap, serverEnd, serverTap, step);
}

/** A wire over two loopback connections, with the tap in the middle. */
export async function loopbackWire(step = Number.POSITIVE_INFINITY): Promise<Wire> {
  const [agentEnd, agentTap] = await socketPair();
  const [serverTap, serverEnd] = await socketPair();
  return tapBetween(agentEnd, agentTap, serverEnd, serverTap, step);
}

/** Two ends of one loopback connection: who connected, who accepted. */
export async function socketPair(): Promise<[Socket, Socket]> {
  const listener = createServer({ noDelay: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  const connected = connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', noDelay: true });
  const [[socket]] = await Promise.all([accepted, once(connected, 'connect')]);
  listener.close();
  return [connected, socket];
}

function tapBetween(agentEnd: Duplex, agentTap: Duplex, serverEnd: Duplex, serverTap: Duplex, step: number): Wire {
  const write = (to: Duplex) => (piece: Buffer) => {
    if (to.writable) to.write(piece);
  };
  const toServer = new Lane(step, write(serverTap));
  const toAgent = new Lane(step, write(agentTap));
  for (const [end, from, to, lane] of [
    [agentEnd, agentTap, serverTap, toServer],
    [serverEnd, serverTap, agentTap, toAgent],
  ] as const) {
    from.on('data', (chunk: Buffer) => lane.carry(chunk));
    from.on('end', () => to.end());
    from.on('error', () => {});
    // In memory, a destroyed end tells nobody; a kernel would.
    end.on('close', () => to.end());
  }
  return { agentEnd, serverEnd, toServer, toAgent };
}
