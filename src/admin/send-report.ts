import { EXIT_CODES } from '../lib/errors.js';
import { type ApiAnswer, type ApiCall, rowsOf } from './client.js';
import { formatTable } from './table.js';

/** Exit codes of `sendCommand`. */
const SEND_EXIT_CODES = {
  /** Every host has answered with result=true. */
  well: EXIT_CODES.ok,
  /** Some hosts have not. */
  failed: 1,
  /** Of some hosts nobody can say whether they have carried it out. */
  unknown: 3,
} as const;

const PAGE = 500;
/** Names of hosts that are told of each cause. */
const NAMED = 3;

/** Hosts with one outcome for one reason. */
interface Group {
  readonly outcome: string;
  readonly reason: string;
  readonly names: readonly string[];
}

/** What became of a command at all of its hosts: as a table, by cause, and as an exit code. @throws ApiFailure, Unreachable */
export async function sendReport(
  api: ApiCall,
  jobid: string,
  summary: ApiAnswer,
  { call, width }: { readonly call: string; readonly width: number | undefined },
): Promise<{ readonly text: string; readonly exitCode: number }> {
  const rows: ApiAnswer[] = [];
  for (let page = 1; ; page++) {
    const answer = await api('listCommandResults', { jobid, page: String(page), pagesize: String(PAGE) });
    const found = rowsOf(answer.commandresult);
    rows.push(...found);
    if (found.length < PAGE) break;
  }
  const lines = [...grouped(rows)].map(({ outcome, reason, names }) => {
    const more = names.length > NAMED ? `, and ${names.length - NAMED} more` : '';
    return [outcome, String(names.length), names.slice(0, NAMED).join(', ') + more, reason];
  });
  const table = formatTable([['OUTCOME', 'HOSTS', 'WHICH', 'WHY'], ...lines], width);
  const hint = `${call} -o json listCommandResults jobid=${jobid} has the answers`;
  return { text: `${[...table, ...truncatedLines(rows), hint].join('\n')}\n`, exitCode: exitCodeOf(summary) };
}

/** Of how many hosts the answers are not whole; no line: of none. */
export function truncatedLines(rows: readonly ApiAnswer[]): readonly string[] {
  const count = rows.filter(({ truncated }) => truncated === true).length;
  if (count === 0) return [];
  return [
    `the answers of ${count === 1 ? '1 host are' : `${count} hosts are`} truncated: they were too long to be kept`,
  ];
}

/** Those with most hosts first. */
function grouped(rows: readonly ApiAnswer[]): readonly Group[] {
  const groups = new Map<string, { outcome: string; reason: string; names: string[] }>();
  for (const { outcome, result, reason, hostname } of rows) {
    const shown = outcome === 'answered' && result === false ? 'failed' : String(outcome);
    const why = typeof reason === 'string' ? reason : '';
    const key = JSON.stringify([shown, why]);
    const group = groups.get(key) ?? { outcome: shown, reason: why, names: [] };
    group.names.push(String(hostname));
    groups.set(key, group);
  }
  return [...groups.values()].toSorted((one, other) => other.names.length - one.names.length);
}

function exitCodeOf({ total, answered, failed, unknown }: ApiAnswer): number {
  if (Number(unknown) > 0) return SEND_EXIT_CODES.unknown;
  return Number(answered) === Number(total) && Number(failed) === 0 ? SEND_EXIT_CODES.well : SEND_EXIT_CODES.failed;
}

const BAR = 30;

/** Progress as a bar, where it says how many of how many; undefined: it does not. */
export function progressBar(progress: string): string | undefined {
  const [, done, total] = /^(\d+) of (\d+) /.exec(progress) ?? [];
  if (done === undefined || Number(total) === 0) return undefined;
  const filled = Math.round((Number(done) / Number(total)) * BAR);
  return `[${'#'.repeat(filled)}${' '.repeat(BAR - filled)}] ${progress}`;
}
