import { decodePacket, encodePacket, type Packet } from '../../src/protocol/packet.js';
import type { Transport, TransportListener } from '../../src/protocol/transport.js';

/** A transport without a peer: the test says what arrives, and sees what is sent. */
export class FakeTransport implements Transport {
  readonly remote = { address: '192.0.2.1', port: 8250 };
  /** Set by the test: what a peer that does not read has left unread. */
  queuedBytes = 0;
  readonly sent: Packet[] = [];
  isRaised = false;
  /** What packets cost beside their own bytes. */
  chargedBytes = 0;
  state: 'open' | 'closed' | 'destroyed' = 'open';
  #listener: TransportListener | undefined;

  listen(listener: TransportListener): void {
    this.#listener = listener;
  }

  send(packet: Buffer): void {
    if (this.state === 'open') this.sent.push(decodePacket(packet));
  }

  raiseLimits(): void {
    this.isRaised = true;
  }

  charge(bytes: number): void {
    this.chargedBytes += bytes;
  }

  close(): void {
    if (this.state === 'open') this.state = 'closed';
  }

  destroy(): void {
    if (this.state === 'destroyed') return;
    this.state = 'destroyed';
    this.end();
  }

  /** The peer sends this. */
  receive(packet: Packet | Buffer): void {
    this.#listener?.onPacket(Buffer.isBuffer(packet) ? packet : encodePacket(packet));
  }

  /** The transport comes to its end. */
  end(error?: Error): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.onClose(error);
  }
}
