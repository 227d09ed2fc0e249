/** What carries packets between two peers. Links stand on it, and know nothing of TLS or frames. */
export interface Transport {
  /** The other end as the socket names it. */
  readonly remote: RemoteEnd;
  /** Bytes taken by `send` that the peer has not read yet. */
  readonly queuedBytes: number;
  /** Sets who is told, and starts to read. */
  listen(listener: TransportListener): void;
  /** One packet, whole. Does nothing once the transport is closing. */
  send(packet: Buffer): void;
  /** The peer is Ready: from now on `LIMITS.packetBytes` bounds its packets, and no shared budget. */
  raiseLimits(): void;
  /** FIN behind what is queued; the peer has `LIMITS.lingerMs` for its own. Idempotent. */
  close(): void;
  /** At once; what is queued is lost. Idempotent. */
  destroy(): void;
}

export interface RemoteEnd {
  readonly address: string;
  readonly port: number;
}

export interface TransportListener {
  onPacket(packet: Buffer): void;
  /** Exactly once, the last event. Without an error, the peer or we ended it in good order. */
  onClose(error?: Error): void;
}
