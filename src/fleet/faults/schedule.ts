import { DURATION_FORM, durationMs } from '../load/quantity.js';
import { type Fault, FaultError, objectionTo, objectionToWho, parseFault } from './fault.js';

/** A fault that is to happen. Times are milliseconds since the start of the fleet. */
export interface Planned {
  readonly fault: Fault;
  /** As it stands in the file. */
  readonly text: string;
  readonly nextMs: number;
  /** It happens again after this; undefined: once. */
  readonly everyMs: number | undefined;
}

const LINE = /^(?:at\s+(\S+)\s+)?(?:every\s+(\S+)\s+)?(.*)$/;

/**
 * Reads a file of faults: `at 60s kill 10%`, `every 5m freeze 1% for 30s`, `at 60s every 10s cut`, one a line. What is behind a
 * `#` is a comment.
 * @throws FaultError with the number of the line
 */
export function parseSchedule(text: string): readonly Planned[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    const words = line.replace(/#.*$/, '').trim();
    if (words === '') return [];
    try {
      return [planned(words)];
    } catch (error) {
      if (error instanceof FaultError) throw new FaultError(`line ${index + 1}: ${error.message}`);
      throw error;
    }
  });
}

function planned(words: string): Planned {
  const [, at, every, text = ''] = LINE.exec(words) ?? [];
  if (at === undefined && every === undefined) {
    throw new FaultError('it does not begin with its time: at TIME, every TIME, or at TIME every TIME');
  }
  const everyMs = every === undefined ? undefined : time(every);
  if (everyMs === 0) throw new FaultError('every 0 is no time');
  return { fault: parseFault(text), text, everyMs, nextMs: at === undefined ? (everyMs ?? 0) : time(at) };
}

function time(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined) throw new FaultError(`${JSON.stringify(text)}: ${DURATION_FORM} is allowed`);
  return ms;
}

/**
 * Why something that is planned will never happen; undefined when it will.
 * @param fleet how long it runs (undefined: until a signal), the guids of its agents, and whether it has proxies
 */
export function objectionToPlanned(
  { fault, text, nextMs }: Planned,
  fleet: {
    readonly durationMs: number | undefined;
    readonly guids: ReadonlySet<string>;
    readonly hasProxies: boolean;
  },
): string | undefined {
  const { durationMs, guids, hasProxies } = fleet;
  const objection = objectionTo(fault, hasProxies) ?? objectionToWho(fault, guids);
  if (objection !== undefined) return `${text}: ${objection}`;
  if (durationMs === undefined || nextMs < durationMs) return undefined;
  return `${text}: it is due after ${nextMs / 1_000} s, and the fleet stops after ${durationMs / 1_000} s, its duration`;
}

/** When something happens next; undefined: nothing does any more. */
export function nextMs(plan: readonly Planned[]): number | undefined {
  return plan.length === 0 ? undefined : Math.min(...plan.map(({ nextMs }) => nextMs));
}

/** What is due by now, in the order of time, and what is left. What was missed happens once. */
export function dueBy(
  plan: readonly Planned[],
  nowMs: number,
): { readonly due: readonly Planned[]; readonly left: readonly Planned[] } {
  const due = plan.filter(({ nextMs }) => nextMs <= nowMs).toSorted((one, other) => one.nextMs - other.nextMs);
  const left = plan.flatMap(one => {
    if (one.nextMs > nowMs) return [one];
    if (one.everyMs === undefined) return [];
    const times = Math.floor((nowMs - one.nextMs) / one.everyMs) + 1;
    return [{ ...one, nextMs: one.nextMs + times * one.everyMs }];
  });
  return { due, left };
}
