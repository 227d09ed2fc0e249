/** Values that belong to an error, for the fields of a log line. */
export type ErrorContext = Readonly<Record<string, string | number>>;

/** What is wrong with what the peer sent. */
export type ProtocolErrorCode =
  /** A frame is longer than `LIMITS.frameBytes`. A length of 0x8000 or more is negative for CloudStack's reader. */
  | 'FRAME_TOO_LONG'
  /** The first byte of a frame header is not 0: it is a raw record after the handshake, or no frame. */
  | 'FRAME_HEADER'
  /** A frame came before the end of the TLS handshake. */
  | 'FRAME_EARLY'
  /** A frame's payload is not a whole number of TLS records. */
  | 'FRAME_SPLIT_RECORD'
  /** Not a TLS record, a record that is too long, or a record of a type that may not be in a frame. */
  | 'RECORD_INVALID'
  /** OpenSSL refused what the peer sent, or the peer sent an alert. */
  | 'TLS_FAILED'
  /** The handshake did not end within `handshakeTimeoutMs`. */
  | 'HANDSHAKE_TIMEOUT'
  /** The peer closed during the handshake. */
  | 'HANDSHAKE_CLOSED'
  /** A packet has no bytes. */
  | 'PACKET_EMPTY'
  /** A packet has fewer bytes than its header. */
  | 'PACKET_SHORT'
  /** The packet version is neither 0 nor 2. */
  | 'PACKET_VERSION'
  /** A packet has more bytes than its link allows. */
  | 'PACKET_TOO_LARGE'
  /** An unpacked body has more bytes, values or messages than its link allows. */
  | 'BODY_TOO_LARGE'
  /** The gzip stream is broken, or its unpacked length is not the one of the header. */
  | 'BODY_GZIP'
  /** The body is not JSON, or nests too deep. */
  | 'BODY_JSON'
  /** The body is JSON, but not an array of objects with one key. */
  | 'BODY_SHAPE'
  /** A field of a known class has a wrong type or value. */
  | 'MESSAGE_FIELD';

/**
 * The peer broke the wire contract. Some codes close the link, others are answered or ignored: see `docs/errors.md`.
 * @example
 * try {
 *   decodePacket(bytes);
 * } catch (error) {
 *   if (error instanceof ProtocolError && error.code === 'PACKET_VERSION') return;
 *   throw error;
 * }
 */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  /** What is wrong, for programs. docs/errors.md has every code. */
  readonly code: ProtocolErrorCode;
  /** Values such as the length and the limit. */
  readonly context: ErrorContext;

  constructor(code: ProtocolErrorCode, message: string, context: ErrorContext = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.context = context;
  }
}

/** Why a request got no answer, or the link ended. */
export type LinkErrorCode =
  /** The link closed before the answer came. */
  | 'LINK_CLOSED'
  /** The answer did not come in time. */
  | 'ANSWER_TIMEOUT'
  /** The peer does not read: more than `LIMITS.queuedBytes` wait for it, and the link is closed. */
  | 'QUEUE_FULL'
  /** `LIMITS.pendingRequests` requests wait for their answers already. */
  | 'TOO_MANY_REQUESTS'
  /** The packets of all links fill their `MemoryBudget`, and this link holds most of it; it is closed. */
  | 'MEMORY_BUDGET';

/**
 * A request got no answer over this link, or the link has ended.
 * @example
 * try {
 *   await link.request([CheckHealthCommand.encode({ wait: 5 })], header, 10_000);
 * } catch (error) {
 *   if (error instanceof LinkError && error.code === 'ANSWER_TIMEOUT') console.log(error.message);
 *   else throw error;
 * }
 */
export class LinkError extends Error {
  override readonly name = 'LinkError';
  /** What is wrong, for programs. docs/errors.md has every code. */
  readonly code: LinkErrorCode;

  constructor(code: LinkErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
