import { type Bucket, type BucketRate, fullBucket, takeFrom, untilPaid } from '../lib/token-bucket.js';
import { LIMITS } from './limits.js';

/** How much of a peer is read, so that no link takes more than its share of the event loop. */
export interface ReadRate {
  /** Unpacked bytes. */
  readonly bytes: BucketRate;
  /** Packets, of whatever size. */
  readonly packets: BucketRate;
}

export const READ_RATE: ReadRate = {
  bytes: { perSecond: LIMITS.readBytesPerSecond, burst: LIMITS.readBytesAtOnce },
  packets: { perSecond: LIMITS.readPacketsPerSecond, burst: LIMITS.readPacketsAtOnce },
};

/** Counts what was read of one peer, and tells when its next packet may be. All moments are those of a monotonic clock. */
export class ReadPace {
  readonly #rate: ReadRate;
  #bytes: Bucket;
  #packets: Bucket;

  constructor(rate: ReadRate, now: number) {
    this.#rate = rate;
    this.#bytes = fullBucket(rate.bytes, now);
    this.#packets = fullBucket(rate.packets, now);
  }

  readBytes(bytes: number, now: number): void {
    this.#bytes = takeFrom(this.#bytes, bytes, this.#rate.bytes, now);
  }

  readPacket(now: number): void {
    this.#packets = takeFrom(this.#packets, 1, this.#rate.packets, now);
  }

  /** Milliseconds until the next packet may be read. */
  pauseMs(now: number): number {
    return Math.max(untilPaid(this.#bytes, this.#rate.bytes, now), untilPaid(this.#packets, this.#rate.packets, now));
  }
}
