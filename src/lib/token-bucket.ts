/** How much may be taken from a bucket: a burst after a time of rest, and then so much in a second. */
export interface BucketRate {
  /** What flows in each second, in the unit of what is counted. */
  readonly perSecond: number;
  /** What a full bucket has: so much may come at once. */
  readonly burst: number;
}

/** What is left in a bucket at some moment. Less than 0: more was taken than there was. */
export interface Bucket {
  readonly level: number;
  /** Milliseconds by a monotonic clock. */
  readonly at: number;
}

/** A bucket that nothing was taken from for long. */
export function fullBucket(rate: BucketRate, now: number): Bucket {
  return { level: rate.burst, at: now };
}

/** Takes an amount, whether or not there is as much. Whoever takes waits afterwards, for `untilPaid`. */
export function takeFrom(bucket: Bucket, amount: number, rate: BucketRate, now: number): Bucket {
  return { level: levelAt(bucket, rate, now) - amount, at: now };
}

/** Whole milliseconds until what was taken too much has come back; 0 when nothing was. */
export function untilPaid(bucket: Bucket, rate: BucketRate, now: number): number {
  const missing = -levelAt(bucket, rate, now);
  return missing <= 0 ? 0 : Math.ceil((missing / rate.perSecond) * 1_000);
}

function levelAt({ level, at }: Bucket, { perSecond, burst }: BucketRate, now: number): number {
  return Math.min(burst, level + (Math.max(0, now - at) * perSecond) / 1_000);
}
