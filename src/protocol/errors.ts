/** Facts about an error, logged as fields. */
export type ErrorContext = Readonly<Record<string, string | number>>;

export type ProtocolErrorCode =
  /** A frame longer than `LIMITS.frameBytes`, or negative in the eyes of a signed 16-bit reader. */
  | 'FRAME_TOO_LONG'
  /** The top byte of a frame header is not 0: a raw record after the handshake, or no frame at all. */
  | 'FRAME_HEADER'
  /** A frame before the handshake got as far as ChangeCipherSpec. */
  | 'FRAME_EARLY'
  /** A frame's payload is not a whole number of TLS records. */
  | 'FRAME_SPLIT_RECORD'
  /** During the handshake: not a TLS record, or one that is too long. */
  | 'RECORD_INVALID'
  /** The TLS engine refused what the peer sent, or the peer refused us. */
  | 'TLS_FAILED'
  | 'HANDSHAKE_TIMEOUT'
  /** FIN in the middle of the handshake. */
  | 'HANDSHAKE_CLOSED'
  | 'PACKET_EMPTY'
  | 'PACKET_SHORT'
  | 'PACKET_VERSION'
  | 'PACKET_TOO_LARGE'
  | 'BODY_TOO_LARGE'
  /** The gzip stream is broken, or its length is not the one that the header says. */
  | 'BODY_GZIP'
  | 'BODY_JSON'
  /** JSON, but not an array of one-key objects. */
  | 'BODY_SHAPE'
  /** A known class with a field of the wrong type. */
  | 'MESSAGE_FIELD';

/** The peer broke the wire contract. What follows from it depends on the code: see `docs/errors.md`. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: ProtocolErrorCode;
  readonly context: ErrorContext;

  constructor(code: ProtocolErrorCode, message: string, context: ErrorContext = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.context = context;
  }
}

export type LinkErrorCode =
  /** The link closed before the answer came. */
  | 'LINK_CLOSED'
  /** No answer in time. */
  | 'ANSWER_TIMEOUT'
  /** The peer does not read: more than `LIMITS.queuedBytes` wait for it. */
  | 'QUEUE_FULL'
  /** More than `LIMITS.pendingRequests` wait for their answers. */
  | 'TOO_MANY_REQUESTS'
  /** Unfinished packets of links before Ready fill `LIMITS.allPacketBytesBeforeReady`. */
  | 'MEMORY_BUDGET';

/** A request could not be carried out over this link, or the link came to its end. */
export class LinkError extends Error {
  override readonly name = 'LinkError';
  readonly code: LinkErrorCode;

  constructor(code: LinkErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
