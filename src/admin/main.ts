import type { Finding } from '../agent/doctor/finding.js';
import { API, type CommandName, isCommandName } from '../api/commands/index.js';
import type { ApiCommand } from '../api/table.js';
import { type Clock, delay } from '../lib/clock.js';
import { EXIT_CODES, reasonOf } from '../lib/errors.js';
import { VERSION } from '../lib/version.js';
import { type ApiKeyPair, findApiKeyPair } from './api-key-file.js';
import { type AdminArguments, parseAdminArguments, suggestion } from './arguments.js';
import { type ApiAnswer, type ApiCall, ApiFailure, rowsOf, Unreachable } from './client.js';
import { findingText, showDoctor } from './doctor.js';
import { commandHelp, generalHelp, LOCAL_COMMANDS, localHelp } from './help.js';
import { withIds } from './names.js';
import { patientCall } from './patient-call.js';
import { progressBar, sendReport, truncatedLines } from './send-report.js';
import { readStatus, statusScreen } from './status.js';
import { objectTable } from './table.js';
import { UsageError } from './usage-error.js';

/** What the command line uses of its process. */
export interface AdminParts {
  /** How the command line is called, for advice: `muster`, or `node dist/admin.js`. */
  readonly program: string;
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The user's home folder. */
  readonly home: string;
  /** Of the terminal, in characters; undefined: the output is no terminal, and nothing is cut. */
  readonly width: () => number | undefined;
  out(text: string): void;
  err(text: string): void;
  /** @throws ApiFailure, Unreachable */
  call(keyPair: ApiKeyPair, command: string, params: ReadonlyMap<string, string>): Promise<ApiAnswer>;
  /**
   * Has the program of the management server on this machine make a backup, which says itself what becomes of it.
   * @returns its exit code; undefined: there is no such program here
   */
  backup(folder: string, file: string | undefined): number | undefined;
  /** From now on Ctrl-C writes this to stderr and ends the process with this code. */
  onInterrupt(text: string, exitCode: number): void;
}

const REDRAW_MS = 2_000;
const JOB_POLL_MS = 500;
/** Exit code: the server refused, a job failed, `status` found an agent that is not on its preferred host, `diagnoseHost` an error. */
const FAILED = 1;
const INTERRUPTED = 130;
const CLEAR_SCREEN = '\x1b[H\x1b[2J';
const ALL_NAMES = [...Object.keys(API), ...Object.keys(LOCAL_COMMANDS)];

/** The command line for operators. @returns the exit code */
export async function runAdmin(argv: readonly string[], parts: AdminParts): Promise<number> {
  try {
    return await run(parseAdminArguments(argv), parts);
  } catch (error) {
    parts.err(`${error instanceof ApiFailure ? failureText(error) : reasonOf(error)}\n`);
    if (error instanceof UsageError) return EXIT_CODES.configuration;
    return error instanceof Unreachable ? EXIT_CODES.fatal : FAILED;
  }
}

function failureText({ message, code }: ApiFailure): string {
  return `${message} (${code})`;
}

async function run(asked: AdminArguments, parts: AdminParts): Promise<number> {
  const say = (text: string) => {
    parts.out(text);
    return EXIT_CODES.ok;
  };
  if (asked.version) return say(`muster ${VERSION}\n`);
  if (asked.command === undefined) {
    say(generalHelp(parts.program, parts.width()));
    return asked.help ? EXIT_CODES.ok : EXIT_CODES.configuration;
  }
  // `help listHosts` means `listHosts --help`.
  const isHelp = asked.help || asked.command === 'help';
  const command = asked.command === 'help' ? asked.words[0] : asked.command;
  if (command === undefined) return say(generalHelp(parts.program, parts.width()));
  if (isLocal(command)) return isHelp ? say(localHelp(command, parts.width())) : RUN_LOCAL[command](asked, parts);
  if (!isCommandName(command)) throw new UsageError(`${command} is no command: ${suggestion(command, ALL_NAMES)}`);
  return isHelp ? say(commandHelp(command, API[command], parts.width())) : carryOut(command, asked, parts);
}

// ---- commands of the API

async function carryOut(command: CommandName, asked: AdminArguments, parts: AdminParts): Promise<number> {
  const definition: ApiCommand = API[command];
  checkParams(command, definition, asked);
  const api = await apiCall(asked, parts);
  const start = async () => api(command, Object.fromEntries(await withIds(command, definition, asked.params, api)));
  let answer = await (command === 'sendCommand' ? start().catch(notSent) : start());
  const jobs = command === 'queryAsyncJobResult' ? [] : jobsOf(definition, answer);
  if (asked.async && definition.isAsync && asked.output === 'table') {
    parts.out(`${jobs.join('\n')}\n`);
    return EXIT_CODES.ok;
  }
  if (!asked.async) {
    for (const jobid of jobs) {
      const advice = adviceOn(jobid, command, asked, parts.program);
      const patient = patientCall(api, { clock: parts.clock, err: parts.err, advice });
      const outcome = await outcomeOf(patient, jobid, advice, parts);
      const result = (outcome.jobresult ?? {}) as ApiAnswer;
      if (outcome.jobstatus !== 1) {
        parts.err(`${command} failed: ${result.errortext ?? 'without a reason'}\n`);
        return FAILED;
      }
      if (command === 'diagnoseHost') return tellFindings(result, asked, parts);
      if (command === 'sendCommand') return await tellOutcomes(patient, jobid, result, asked, parts);
      if (definition.isAsync) answer = result;
      else parts.err(reportOf(result));
    }
    if (jobs.length > 0) answer = await asItIsNow(api, definition, answer);
  }
  parts.out(asked.output === 'json' ? `${JSON.stringify(answer, null, 2)}\n` : shown(definition, answer, asked, parts));
  const warning = warningOf(definition, answer);
  if (warning !== undefined && asked.output === 'table') parts.err(`warning: ${warning}\n`);
  return EXIT_CODES.ok;
}

/**
 * Why sendCommand has made no job. Its exit code is not the one of a job with hosts that have failed.
 * @throws UsageError: it was refused; Unreachable: nobody can say whether there is a job
 */
function notSent(error: unknown): never {
  if (!(error instanceof ApiFailure)) throw error;
  const text = failureText(error);
  if (!error.isInternal) throw new UsageError(text, { cause: error });
  throw new Unreachable(`${text}\nit may have been sent all the same; ${SAME_KEY}`, { cause: error });
}

const SAME_KEY = 'the same call with the same key waits for the same job, and sends nothing twice';

/** How to see what becomes of a job when nobody waits for it any more. */
function adviceOn(jobid: string, command: CommandName, asked: AdminArguments, program: string): string {
  const { params } = asked;
  const call = callOf(program, asked);
  const goesOn = `the job goes on; ${call} queryAsyncJobResult jobid=${jobid} tells what came of it`;
  if (command !== 'sendCommand') return goesOn;
  const again = params.has('key') ? SAME_KEY : 'without a key, the same call would send it again';
  return `${goesOn}, ${call} listCommandResults jobid=${jobid} what came of it at each host; ${again}`;
}

/** How to ask the same server with the same key again. */
function callOf(program: string, { config, endpoint }: AdminArguments): string {
  const options = Object.entries({ config, endpoint }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, value],
  );
  return [program, ...options].join(' ');
}

/** What became of a command at its hosts. @returns the exit code @throws ApiFailure, Unreachable */
async function tellOutcomes(
  api: ApiCall,
  jobid: string,
  result: ApiAnswer,
  asked: AdminArguments,
  parts: AdminParts,
): Promise<number> {
  const { output } = asked;
  const summary = (result.commandsummary ?? {}) as ApiAnswer;
  const { text, exitCode } = await sendReport(api, jobid, summary, {
    call: callOf(parts.program, asked),
    width: parts.width(),
  });
  parts.out(output === 'json' ? `${JSON.stringify({ jobid, ...result }, null, 2)}\n` : text);
  return exitCode;
}

/** What an agent has found, as `doctor` shows it. @returns the exit code */
function tellFindings(result: ApiAnswer, { output }: AdminArguments, { out }: AdminParts): number {
  const diagnosis = (result.diagnosis ?? {}) as ApiAnswer;
  const findings = rowsOf(diagnosis.findings) as unknown as readonly Finding[];
  out(output === 'json' ? `${JSON.stringify(result, null, 2)}\n` : findings.map(findingText).join(''));
  return diagnosis.result === true ? EXIT_CODES.ok : FAILED;
}

/** Before anything is sent: the server would ignore a misspelt parameter. @throws UsageError */
function checkParams(command: string, { params }: ApiCommand, asked: AdminArguments): void {
  const known = Object.keys(params);
  const [word] = asked.words;
  if (word !== undefined) {
    const hint = known.length === 0 ? 'it has no parameters' : `parameters are given as key=value: ${known.join(', ')}`;
    throw new UsageError(`${command}: ${word} is no parameter; ${hint}`);
  }
  for (const name of asked.params.keys()) {
    if (!known.includes(name)) {
      throw new UsageError(`${command}: ${name} is no parameter: ${suggestion(name, known)}`);
    }
  }
  for (const [name, { required, description }] of Object.entries(params)) {
    if (required && !asked.params.has(name)) throw new UsageError(`${command}: ${name}= is required: ${description}`);
  }
}

function shown(definition: ApiCommand, answer: ApiAnswer, asked: AdminArguments, { clock, width }: AdminParts): string {
  const { kind, object } = definition.response;
  const inside = kind === 'plain' ? answer : answer[object];
  const objects = (Array.isArray(inside) ? inside : inside === undefined ? [] : [inside]) as Record<string, unknown>[];
  const count = typeof answer.count === 'number' ? answer.count : objects.length;
  if (objects.length === 0) return count === 0 ? 'nothing found\n' : `nothing on this page; there are ${count}\n`;
  // What a command has made may be shown this once: a token, a secret.
  const lines = objectTable(definition, objects, clock.wallTime(), kind === 'list' ? width() : undefined);
  lines.push(...truncatedLines(objects));
  if (count > objects.length) {
    const page = Number(asked.params.get('page') ?? 1);
    lines.push(`${objects.length} of ${count}; page=${page + 1} has the next ones, pagesize=-1 all`);
  }
  return `${lines.join('\n')}\n`;
}

/** Of a list it is beside the list, of an object within it. */
function warningOf({ response }: ApiCommand, answer: ApiAnswer): string | undefined {
  const inside = answer[response.object] as ApiAnswer | undefined;
  const warning = answer.warning ?? inside?.warning;
  return typeof warning === 'string' ? warning : undefined;
}

/** The ids of the jobs that a command has made. */
function jobsOf({ response }: ApiCommand, answer: ApiAnswer): readonly string[] {
  const inside = (answer[response.object] ?? answer) as { jobid?: unknown; jobids?: unknown };
  const ids = Array.isArray(inside.jobids) ? inside.jobids : [answer.jobid ?? inside.jobid];
  return ids.filter((id): id is string => typeof id === 'string');
}

/** After a wait, the state of the management server that the answer is about is another one. */
async function asItIsNow(api: ApiCall, { response }: ApiCommand, answer: ApiAnswer): Promise<ApiAnswer> {
  const before = answer[response.object] as ApiAnswer | undefined;
  if (typeof before?.managementserverid !== 'string' || typeof before.state !== 'string') return answer;
  const { managementserverid } = before;
  const { readyforshutdown: now } = await api('readyForShutdown', { managementserverid });
  return { ...answer, [response.object]: { ...before, ...(now as ApiAnswer) } };
}

/** The outcome of a job that moves agents: one line, and a line for each agent that is left. */
function reportOf({ moved, cancelled, leftcount, left }: ApiAnswer): string {
  const named = (left ?? []) as { name: string; why: string }[];
  const done = typeof moved === 'number' ? `agents moved: ${moved}` : 'done';
  const lines = [`${cancelled === true ? 'cancelled; ' : ''}${done}, left: ${leftcount ?? named.length}`];
  return [...lines, ...named.map(({ name, why }) => `  ${name}: ${why}`), ''].join('\n');
}

/**
 * Waits for the end of a job, and writes its progress to stderr.
 * @param advice for the user who ends the wait
 * @returns the job, as `queryAsyncJobResult` has it
 */
async function outcomeOf(api: ApiCall, jobid: string, advice: string, parts: AdminParts): Promise<ApiAnswer> {
  parts.onInterrupt(`\n${advice}\n`, INTERRUPTED);
  let said = '';
  let isBar = false;
  for (;;) {
    const job = await api('queryAsyncJobResult', { jobid });
    if (job.jobstatus !== 0) {
      if (isBar) parts.err('\n');
      return job;
    }
    const progress = typeof job.progress === 'string' ? job.progress : 'under way';
    const bar = parts.width() === undefined ? undefined : progressBar(progress);
    if (progress !== said) parts.err(bar === undefined ? `${progress} …\n` : `\r${bar}\x1b[K`);
    isBar = bar !== undefined;
    said = progress;
    await delay(parts.clock, JOB_POLL_MS);
  }
}

// ---- what is no command of the API

async function showStatus(asked: AdminArguments, parts: AdminParts): Promise<number> {
  const [word = [...asked.params.keys()][0]] = asked.words;
  if (word !== undefined) throw new UsageError(`status: ${word} is no parameter; --watch is all that it takes`);
  const { clock, out } = parts;
  const api = await apiCall(asked, parts);
  const screen = async () => {
    const status = await readStatus(api);
    const text =
      asked.output === 'json'
        ? `${JSON.stringify(status, null, 2)}\n`
        : statusScreen(status, clock.wallTime(), parts.width());
    return { text, isWell: status.astrayCount === 0 };
  };
  if (!asked.watch) {
    const { text, isWell } = await screen();
    out(text);
    return isWell ? EXIT_CODES.ok : FAILED;
  }
  parts.onInterrupt('\n', EXIT_CODES.ok);
  const clear = parts.width() === undefined ? '' : CLEAR_SCREEN;
  for (;;) {
    // A server that is away is shown as such: the watch goes on until it is back.
    const text = await screen().then(
      ({ text }) => text,
      error => {
        if (error instanceof Unreachable) return `${error.message}\n`;
        throw error;
      },
    );
    out(clear + text);
    await delay(clock, REDRAW_MS);
  }
}

async function runDoctor({ words, params, output }: AdminArguments, parts: AdminParts): Promise<number> {
  const [folder = 'conf', more = [...params.keys()].find(key => key !== 'port')] = words;
  if (more !== undefined)
    throw new UsageError(
      `doctor: ${more} is too much: one folder is needed, that of agent.properties, and port=N at most`,
    );
  const port = params.get('port');
  if (port !== undefined && !isPort(port))
    throw new UsageError(`doctor: port=${port}: a number from 1 to 65535 is needed`);
  return showDoctor(folder.replace(/(^|\/)agent\.properties$/, '$1') || '.', {
    clock: parts.clock,
    out: parts.out,
    output,
    given: params,
  });
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}

async function makeBackup({ words, params }: AdminArguments, parts: AdminParts): Promise<number> {
  const [folder, file, more = [...params.keys()][0]] = words;
  if (folder === undefined) throw new UsageError('backup: the folder DIR that is to be made is needed');
  if (more !== undefined) throw new UsageError(`backup: ${more} is too much: it takes DIR and FILE`);
  const exitCode = parts.backup(folder, file);
  if (exitCode === undefined) throw new UsageError('backup: there is no management server installed here');
  return exitCode;
}

const RUN_LOCAL = { status: showStatus, doctor: runDoctor, backup: makeBackup } as const satisfies Readonly<
  Record<keyof typeof LOCAL_COMMANDS, (asked: AdminArguments, parts: AdminParts) => Promise<number>>
>;

function isLocal(command: string): command is keyof typeof LOCAL_COMMANDS {
  return Object.hasOwn(LOCAL_COMMANDS, command);
}

// ---- the API

async function apiCall({ config, endpoint }: AdminArguments, parts: AdminParts): Promise<ApiCall> {
  const { environment, home } = parts;
  const keyPair = await findApiKeyPair({ config, endpoint, environment, home });
  return (command, params = {}) => parts.call(keyPair, command, new Map(Object.entries(params)));
}
