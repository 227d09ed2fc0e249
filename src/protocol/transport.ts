/**
 * Carries whole packets between two peers. A link uses one and knows nothing of TLS and frames. `acceptTls` and
 * `connectTls` make the real ones; a test may have one in memory.
 */
export interface Transport {
  /** The other end of the connection. */
  readonly remote: RemoteEnd;
  /** Bytes that `send` has taken and the socket has not. */
  readonly queuedBytes: number;
  /** Sets the listener, and starts to read. Called once. */
  listen(listener: TransportListener): void;
  /** Sends one whole packet. Once the transport is closing it does nothing. */
  send(packet: Buffer): void;
  /** The peer is Ready: from now on its packets may have so many bytes, and count in the budget of Ready links. */
  raiseLimits(packetBytes: number): void;
  /**
   * A packet costs so many bytes more than it has: those that unpacking adds, `LIMITS.valueCostBytes` for each value, and
   * `LIMITS.messageCostBytes` for each message behind the first.
   * They count as bytes that were read: with more than `LIMITS.readBytesPerSecond`, the next packet comes later.
   */
  charge(bytes: number): void;
  /** Sends a FIN behind the queued packets. The peer has `LIMITS.lingerMs` for its own FIN. Idempotent. */
  close(): void;
  /** Ends the connection at once; queued packets are lost. Idempotent. */
  destroy(): void;
}

/** One end of a connection. */
export interface RemoteEnd {
  /** An IPv4 or IPv6 address. */
  readonly address: string;
  /** The TCP port. */
  readonly port: number;
}

/** What the owner of a transport does about its events. */
export interface TransportListener {
  /** A whole packet, header first. */
  onPacket(packet: Buffer): void;
  /** The transport has ended. Called exactly once, and last. Without an error, one of the sides has closed it. */
  onClose(error?: Error): void;
}
