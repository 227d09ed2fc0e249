import { createHash } from 'node:crypto';
import type { Clock } from '../../lib/clock.js';
import { checkRange, invalidArgument, invalidTogether, refusedOperation } from '../../lib/operation-error.js';
import { amount, amountThat } from '../../lib/text/amount.js';
import { peerText } from '../../lib/text/peer-text.js';
import { LIMITS, type Message, ProtocolError, rawBodyOf, readyLimits } from '../../protocol/index.js';
import type { EventSink } from '../cluster/events.js';
import { pagesOf } from '../store/pages.js';
import { pause } from '../store/pause.js';
import type { CommandsCancelled, HostSelection, JobRow, NewCommandJob, SelectedHost, Store } from '../store/store.js';
import { commandClass } from './command-classes.js';

export interface CommandOperationParts {
  readonly clock: Clock;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
  readonly store: Pick<Store, 'selectHosts' | 'createCommandJob' | 'cancelCommands' | 'job'>;
  readonly events: EventSink;
  /** Who asks: the name of an API key, or this server's address. */
  readonly asker: string;
  /** A job was made: whoever can carry it out looks at once. */
  jobMade(): void;
}

/** Which hosts, and which commands. */
export interface SendCommandArguments extends SendCommandRules {
  /** Exactly one of `ids`, `zoneId`, `clusterId`, `tag` and `all` has to be given. Ids, names or guids. */
  readonly ids?: readonly string[] | undefined;
  readonly zoneId?: number | undefined;
  readonly clusterId?: number | undefined;
  readonly tag?: string | undefined;
  readonly all?: boolean | undefined;
  /** In one packet, at least one. The class in full, or without its package if it is known. */
  readonly commands: readonly { readonly class: string; readonly fields: Readonly<Record<string, unknown>> }[];
}

export interface SendCommandRules {
  /** Seconds for each host: until it is connected, and until it has answered. @default 60 */
  readonly wait?: number | undefined;
  /** Each host gets it when it has answered what was sent to it in sequence before. @default false */
  readonly inSequence?: boolean | undefined;
  /** When one of several commands fails, those behind it are not carried out. @default true */
  readonly stopOnError?: boolean | undefined;
  /** Hosts that have commands at the same time. @default 50 */
  readonly maxConcurrency?: number | undefined;
  /** More failures than this end the job; −1: none do. @default 0 */
  readonly maxErrors?: number | undefined;
  /** The first hosts, alone; the others follow if all of them are well. @default 0 */
  readonly canary?: number | undefined;
  /** Whoever gives the same key and says the same gets the same job. */
  readonly key?: string | undefined;
}

const MOST_COMMANDS = 32;
const MOST_WAIT = 3_600;
const MOST_CONCURRENCY = 1_000;
/** Hosts of one job. */
const MOST_HOSTS = 100_000;
const MOST_BYTES = 2 ** 20;
const MOST_KEY = 255;
/** Another server writes the hosts of the same job: for so long it is waited for … */
const MADE_WITHIN_MS = 10_000;
/** … and looked for so often. */
const MADE_AGAIN_MS = 100;

/**
 * Has commands sent to many hosts, by a job that any server carries out.
 * @throws OperationError ARGUMENT_INVALID, OPERATION_REFUSED; StoreError
 */
export async function sendCommand(parts: CommandOperationParts, args: SendCommandArguments): Promise<JobRow> {
  const commands = args.commands.map((command, index) => ({ ...command, class: classOf(command.class, index) }));
  checkRange('commands', commands.length, 1, MOST_COMMANDS);
  checkSize(commands.map(({ class: type, fields }) => ({ type, fields })));
  const { wait = 60, inSequence = false, stopOnError = true, maxConcurrency = 50, maxErrors = 0, canary = 0 } = args;
  checkRange('wait', wait, 1, MOST_WAIT);
  checkRange('maxconcurrency', maxConcurrency, 1, MOST_CONCURRENCY);
  checkRange('maxerrors', maxErrors, -1, MOST_HOSTS);
  checkRange('canary', canary, 0, MOST_HOSTS);
  const { key = null } = args;
  if (key !== null && (key.length > MOST_KEY || key === '' || peerText(key) !== key)) {
    throw invalidArgument('key', peerText(key), `1 to ${MOST_KEY} characters are allowed, without control characters`);
  }
  const { ids, zoneId, clusterId, tag, all } = args;
  const selection = { ids, zoneId, clusterId, tag, all };
  const rules = { wait, inSequence, stopOnError, maxConcurrency, maxErrors, canary };
  const digest = createHash('sha256').update(JSON.stringify({ selection, commands, rules })).digest('hex');
  const hostIds = await hostsOf(parts.store, selection);
  const params = JSON.stringify({ commands, ...rules });
  const job = { cmd: 'sendCommand', params, targetMsid: null, hostId: null, createdBy: parts.asker, isResumable: true };
  const made = await madeJob(parts, { job, hostIds, key, digest });
  if (made.kind === 'taken') throw refusedOperation(`the key ${peerText(key ?? '')} was used for another job`);
  if (made.kind === 'made') {
    const what = commands.map(({ class: type }) => type).join(', ');
    const description = `${what} is sent to ${amount(hostIds.length, 'host')} (job ${made.job.uuid})`;
    parts.events.add({ type: 'COMMAND.SEND', level: 'INFO', description });
    parts.jobMade();
  }
  return made.job;
}

/** Of several who ask with one key at the same time one makes the job, and the others wait for it. @throws OperationError */
async function madeJob(parts: CommandOperationParts, job: NewCommandJob) {
  const { clock, store } = parts;
  const until = clock.now() + MADE_WITHIN_MS;
  for (;;) {
    const made = await store.createCommandJob(job);
    if (made.kind !== 'being made') return made;
    if (clock.now() >= until) {
      throw refusedOperation(`a job with the key ${peerText(job.key ?? '')} is just being made: ask again`);
    }
    await pause(parts, MADE_AGAIN_MS);
  }
}

/**
 * Takes back what of a job was not sent yet, and asks agents to end what was.
 * @returns how many hosts get nothing, and how many may have got it
 * @throws OperationError ARGUMENT_INVALID (`jobId`); StoreError
 */
export async function cancelCommand(
  { store, events, asker }: CommandOperationParts,
  { jobId }: { readonly jobId: string },
): Promise<CommandsCancelled> {
  const done = await store.cancelCommands(jobId, `cancelled by ${asker}`, 'operator');
  if (done === undefined) throw invalidArgument('jobId', jobId, 'there is no job of sendCommand with this id');
  events.add({
    type: 'COMMAND.CANCEL',
    level: 'INFO',
    description: `Job ${jobId} was cancelled: ${amountThat(done.cancelled, 'host', ['gets', 'get'])} no command, and ${done.recalled} may have it`,
  });
  return done;
}

function whereOf({ zoneId, clusterId, tag }: Pick<SendCommandArguments, 'zoneId' | 'clusterId' | 'tag'>): string {
  if (tag !== undefined) return ` with the tag ${JSON.stringify(tag)}`;
  if (zoneId !== undefined) return ' in this zone';
  return clusterId === undefined ? '' : ' in this cluster';
}

/** @throws OperationError ARGUMENT_INVALID */
async function hostsOf(
  store: Pick<Store, 'selectHosts'>,
  { ids, all, ...selection }: Pick<SendCommandArguments, 'ids' | 'zoneId' | 'clusterId' | 'tag' | 'all'>,
): Promise<readonly number[]> {
  const given = Object.entries({ ids, all: all === true ? all : undefined, ...selection })
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name.toLowerCase());
  if (given.length !== 1) {
    const found = given.length === 0 ? 'none is given' : `given are ${given.join(', ')}`;
    throw invalidTogether(`exactly one of ids, clusterid, zoneid, tag and all=true is needed; ${found}`);
  }
  if (ids === undefined) {
    const { zoneId, clusterId, tag } = selection;
    const hosts = await selected(store, {
      ...(zoneId !== undefined && { zoneId }),
      ...(clusterId !== undefined && { clusterId }),
      ...(tag !== undefined && { tag }),
    });
    if (hosts.length === 0) throw refusedOperation(`there are no hosts${whereOf(selection)}`);
    return hosts.map(({ id }) => id);
  }
  const wanted = [...new Set(ids.map(id => id.trim()).filter(id => id !== ''))];
  checkRange('ids', wanted.length, 1, MOST_HOSTS);
  const found = new Map<string, number[]>();
  for (let from = 0; from < wanted.length; from += NAMES_A_CALL) {
    for (const { id, uuid, guid, name } of await selected(store, { names: wanted.slice(from, from + NAMES_A_CALL) })) {
      for (const text of new Set([uuid, guid, name])) found.set(text, [...(found.get(text) ?? []), id]);
    }
  }
  return [
    ...new Set(
      wanted.map(text => {
        const [id, ...others] = found.get(text) ?? found.get(text.toLowerCase()) ?? [];
        if (id === undefined)
          throw invalidArgument('ids', peerText(text), 'there is no host with this id, name or guid');
        if (others.length === 0) return id;
        throw invalidArgument('ids', peerText(text), `${others.length + 1} hosts have this name: their ids are needed`);
      }),
    ),
  ];
}

/** Three queries each, whose pages end at `ROWS_A_PAGE`: with fewer names all of them are on one. */
const NAMES_A_CALL = 150;

async function selected(store: Pick<Store, 'selectHosts'>, selection: HostSelection) {
  const hosts: SelectedHost[] = [];
  for await (const page of pagesOf(after => store.selectHosts(selection, after))) {
    hosts.push(...page);
    if (hosts.length > MOST_HOSTS) throw refusedOperation(`a job has at most ${MOST_HOSTS} hosts`);
  }
  return hosts;
}

function classOf(name: string, index: number): string {
  const found = commandClass(name);
  if ('type' in found) return found.type;
  throw invalidArgument(index === 0 ? 'class' : `commands[${index}].class`, peerText(name), found.refusal);
}

function checkSize(messages: readonly Message[]): void {
  try {
    rawBodyOf(messages, { ...readyLimits(LIMITS.packetBytes), bytes: MOST_BYTES });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw invalidArgument('commands', '…', error.message);
  }
}
