import type { ResponseObject } from '../../api/types.js';
import { amountThat } from '../../lib/text/amount.js';

export type Job = ResponseObject<'listAsyncJobs'>;

const UNDER_WAY = 0;
const FAILED = 2;
/** Agents that are named. */
const NAMED = 5;

/** What the results of jobs may hold: agents that were to move, or the summary of a command. */
interface JobResult {
  readonly errortext?: string;
  readonly cancelled?: boolean;
  readonly moved?: number;
  readonly leftcount?: number;
  readonly left?: readonly { readonly name: string; readonly why: string }[];
  /** The links of those that were left were closed. */
  readonly forced?: boolean;
  readonly commandsummary?: Readonly<Record<string, number>>;
}

export interface JobLook {
  readonly kind: 'good' | 'notice' | 'bad';
  readonly state: string;
  /** How far it is; of a job that has ended, what came of it. */
  readonly howFar: string;
}

export function isUnderWay({ jobstatus }: Pick<Job, 'jobstatus'>): boolean {
  return jobstatus === UNDER_WAY;
}

export function hasFailed({ jobstatus }: Pick<Job, 'jobstatus'>): boolean {
  return jobstatus === FAILED;
}

/** How a job is shown. */
export function lookOf(job: Pick<Job, 'jobstatus'> & Partial<Job>): JobLook {
  const result = resultOf(job);
  if (isUnderWay(job)) return { kind: 'notice', state: 'under way', howFar: job.progress ?? '' };
  if (hasFailed(job)) return { kind: 'bad', state: 'failed', howFar: result.errortext ?? '' };
  const howFar = result.moved === undefined ? ofCommand(result) : ofMoves(result.moved, result);
  if (result.cancelled) return { kind: 'notice', state: 'cancelled', howFar };
  if ((result.leftcount ?? 0) > 0) return { kind: 'notice', state: 'done, some are left', howFar };
  return { kind: 'good', state: 'done', howFar };
}

/** Of a job that sent a command: how many hosts have which outcome; undefined: it has not ended, or was another job. */
export function summaryOf(job: Partial<Job>): Readonly<Record<string, number>> | undefined {
  return resultOf(job).commandsummary;
}

function resultOf({ jobresult }: Partial<Job>): JobResult {
  // The API's description of the jobs says what their results are.
  return (jobresult ?? {}) as JobResult;
}

function ofMoves(moved: number, { leftcount = 0, left = [], forced }: JobResult): string {
  const have = `${amountThat(moved, 'agent', ['has', 'have'])} moved`;
  if (leftcount === 0) return `${have}, none is left`;
  const named = left.slice(0, NAMED).map(({ name, why }) => `${name} (${why})`);
  const more = leftcount - named.length;
  const names = `${named.join(', ')}${more > 0 ? ` and ${more.toLocaleString('en-US')} more` : ''}`;
  const closed = forced ? '; their links were closed' : '';
  return `${have}, ${leftcount.toLocaleString('en-US')} ${leftcount === 1 ? 'is' : 'are'} left: ${names}${closed}`;
}

function ofCommand({ commandsummary }: JobResult): string {
  const counts = Object.entries(commandsummary ?? {}).filter(([name, count]) => COUNTS.has(name) && count > 0);
  return counts.map(([name, count]) => `${count.toLocaleString('en-US')} ${name}`).join(', ');
}

/** What becomes of a command, and of those that answered the ones that say no. */
const COUNTS: ReadonlySet<string> = new Set(['answered', 'failed', 'unsupported', 'refused', 'cancelled', 'unknown']);
