#!/usr/bin/env node
import { type AdminArguments, parseAdminArguments, suggestion } from './admin/arguments.js';
import { type ApiAnswer, ApiFailure, call, Unreachable } from './admin/client.js';
import { findCredentials } from './admin/credentials.js';
import { doctor } from './admin/doctor.js';
import { commandHelp, generalHelp, LOCAL_COMMANDS } from './admin/help.js';
import { readStatus, statusScreen } from './admin/status.js';
import { objectTable } from './admin/table.js';
import { delay, systemClock } from './lib/clock.js';
import { ConfigError, EXIT_CODES, reasonOf } from './lib/errors.js';
import { VERSION } from './lib/version.js';
import { API, type ApiCommand, type CommandName, isCommandName } from './mgmt/http/api-table.js';

const clock = systemClock;
const REDRAW_MS = 2_000;
const JOB_POLL_MS = 500;
/** What scripts can tell apart. */
const FAILED = 1;

type ApiCall = (command: string, params?: Readonly<Record<string, string>>) => Promise<ApiAnswer>;

async function main(argv: readonly string[]): Promise<number> {
  const asked = parseAdminArguments(argv);
  const { command } = asked;
  if (asked.version) return say(`muster ${VERSION}\n`);
  if (command === undefined || command === 'help') {
    say(generalHelp());
    return asked.help || command === 'help' ? EXIT_CODES.ok : EXIT_CODES.configuration;
  }
  if (command === 'doctor') return asked.help ? say(`${LOCAL_COMMANDS.doctor}\n`) : runDoctor(asked);
  if (command === 'status')
    return asked.help ? say(`${LOCAL_COMMANDS.status}\n`) : showStatus(await apiCall(asked), asked);
  if (!isCommandName(command)) {
    throw new ConfigError(
      'command',
      command,
      suggestion(command, [...Object.keys(API), ...Object.keys(LOCAL_COMMANDS)]),
    );
  }
  if (asked.help) return say(commandHelp(command, API[command]));
  return carryOut(command, asked);
}

// ---- commands of the API

async function carryOut(command: CommandName, asked: AdminArguments): Promise<number> {
  const definition: ApiCommand = API[command];
  checkParams(command, definition, asked);
  const api = await apiCall(asked);
  let answer = await api(command, Object.fromEntries(asked.params));
  if (definition.isAsync && typeof answer.jobid === 'string') {
    if (asked.async) return say(`${asked.output === 'json' ? JSON.stringify(answer, null, 2) : answer.jobid}\n`);
    const outcome = await outcomeOf(api, answer.jobid);
    if (outcome.jobstatus !== 1) {
      const { errortext } = (outcome.jobresult ?? {}) as { errortext?: unknown };
      process.stderr.write(`${command} failed: ${errortext ?? 'without a reason'}\n`);
      return FAILED;
    }
    answer = (outcome.jobresult ?? {}) as ApiAnswer;
  }
  return say(asked.output === 'json' ? `${JSON.stringify(answer, null, 2)}\n` : shown(definition, answer));
}

/** Before anything is sent: a misspelt parameter would be passed over by the server. */
function checkParams(command: string, { params }: ApiCommand, asked: AdminArguments): void {
  const known = Object.keys(params);
  for (const name of asked.params.keys()) {
    if (!known.includes(name.toLowerCase()))
      throw new ConfigError(`${command}: parameter`, name, suggestion(name, known));
  }
  const [word] = asked.words;
  if (word !== undefined)
    throw new ConfigError(command, word, `parameters are given as key=value; known are ${known.join(', ')}`);
  for (const [name, { required }] of Object.entries(params)) {
    if (required && !asked.params.has(name)) throw new ConfigError(`${command}: parameter`, name, 'is required');
  }
}

function shown({ response, columns }: ApiCommand, answer: ApiAnswer): string {
  const inside = response.kind === 'plain' ? answer : answer[response.object];
  const objects = (Array.isArray(inside) ? inside : inside === undefined ? [] : [inside]) as Record<string, unknown>[];
  if (objects.length === 0) return 'nothing found\n';
  const lines = objectTable(columns, objects);
  const count = typeof answer.count === 'number' ? answer.count : objects.length;
  if (count > objects.length) lines.push(`${objects.length} of ${count}: page=2 shows the next ones`);
  return `${lines.join('\n')}\n`;
}

async function outcomeOf(api: ApiCall, jobid: string): Promise<ApiAnswer> {
  let said = '';
  for (;;) {
    const job = await api('queryAsyncJobResult', { jobid });
    if (job.jobstatus !== 0) return job;
    const progress = typeof job.progress === 'string' ? job.progress : 'under way';
    if (progress !== said) process.stderr.write(`${progress} …\n`);
    said = progress;
    await delay(clock, JOB_POLL_MS);
  }
}

// ---- status and doctor

async function showStatus(api: ApiCall, { watch, output }: AdminArguments): Promise<number> {
  for (;;) {
    const facts = await readStatus(api);
    if (output === 'json') say(`${JSON.stringify(facts, null, 2)}\n`);
    else say(`${watch && process.stdout.isTTY ? '\x1b[H\x1b[2J' : ''}${statusScreen(facts, clock.wallTime())}`);
    if (!watch) return facts.astrayCount === 0 ? EXIT_CODES.ok : FAILED;
    await delay(clock, REDRAW_MS);
  }
}

async function runDoctor({ words, output }: AdminArguments): Promise<number> {
  const [folder, ...more] = words;
  if (folder === undefined || more.length > 0) {
    throw new ConfigError('doctor', words.join(' '), 'one folder is needed: that of agent.properties');
  }
  return doctor(folder, { clock, say: text => void say(text), output });
}

// ---- small parts

async function apiCall(asked: AdminArguments): Promise<ApiCall> {
  const credentials = await findCredentials(asked.config, process.env);
  return (command, params = {}) => call(credentials, command, new Map(Object.entries(params)), clock.wallTime());
}

function say(text: string): number {
  process.stdout.write(text);
  return EXIT_CODES.ok;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof ApiFailure ? `${error.message} (${error.code})` : reasonOf(error)}\n`);
  if (error instanceof ConfigError) process.exitCode = EXIT_CODES.configuration;
  else process.exitCode = error instanceof Unreachable ? EXIT_CODES.fatal : FAILED;
}
