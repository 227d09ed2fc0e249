/** How many agents had a Ready link with which server, at a moment. */
export interface Sample {
  /** Milliseconds since the start. */
  readonly at: number;
  readonly ready: ReadonlyMap<string, number>;
  /** Agents without one. */
  readonly without: number;
}

/** A picture has fewer columns. */
const MOST_SAMPLES = 4_096;

/** The samples with one more. Of too many, each pair becomes the one in which more agents were without a Ready link. */
export function withSample(samples: readonly Sample[], sample: Sample): readonly Sample[] {
  const all = [...samples, sample];
  if (all.length <= MOST_SAMPLES) return all;
  return all.flatMap((one, index) => {
    const next = all[index + 1];
    if (index % 2 === 1) return [];
    return [next !== undefined && next.without > one.without ? next : one];
  });
}
