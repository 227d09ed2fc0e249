/** How far a job has come. */
export interface RunState {
  /** Hosts that were taken: they have an outcome, or are on their way to one. */
  readonly taken: number;
  readonly inFlight: number;
  /** Outcomes that are not good: all but answers with result=true. */
  readonly failures: number;
}

export interface RunRules {
  /** Hosts that have commands at the same time. */
  readonly maxConcurrency: number;
  /** More failures than this end the job; −1: none do. */
  readonly maxErrors: number;
  /** The first hosts, alone; the others follow if all of them are well. 0: none. */
  readonly canary: number;
}

export type RunStep =
  /** Take so many hosts more. */
  | { readonly kind: 'take'; readonly count: number }
  /** Wait for an outcome. */
  | { readonly kind: 'wait' }
  /** No host is taken any more. */
  | { readonly kind: 'stop'; readonly reason: string };

/** What is to be done next in a job that has hosts left. Pure. */
export function nextStep({ taken, inFlight, failures }: RunState, rules: RunRules): RunStep {
  const { maxConcurrency, maxErrors, canary } = rules;
  if (maxErrors >= 0 && failures > maxErrors) {
    return {
      kind: 'stop',
      reason: `stopped: ${failures === 1 ? 'a host has' : `${failures} hosts have`} failed, and maxerrors is ${maxErrors}`,
    };
  }
  const isCanary = taken < canary;
  if (!isCanary && canary > 0 && taken - inFlight < canary) return { kind: 'wait' };
  if (!isCanary && canary > 0 && taken === canary && failures > 0) {
    return { kind: 'stop', reason: `stopped: ${failures} of the first ${canary} hosts (canary) have failed` };
  }
  const free = maxConcurrency - inFlight;
  const count = isCanary ? Math.min(free, canary - taken) : free;
  // One transaction for each host would cost more than the commands do.
  const least = Math.min(maxConcurrency, Math.ceil(maxConcurrency / 4));
  return count >= least || (isCanary && count > 0) || inFlight === 0 ? { kind: 'take', count } : { kind: 'wait' };
}
