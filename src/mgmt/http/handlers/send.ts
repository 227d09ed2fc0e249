import type { Params, Response, ResponseObject } from '../../../api/types.js';
import { amountThat } from '../../../lib/text/amount.js';
import type { SendCommandArguments } from '../../commands/command-operations.js';
import { readLargePage } from '../../store/pages.js';
import type { CommandResultRow, CommandState } from '../../store/store.js';
import { paging } from '../answers/paging.js';
import { invalidParameter, missingParameter } from '../api-error.js';
import type { HandlerParts } from './handler.js';
import { idOf, readLocations } from './locations.js';

const COMMAND = 'sendCommand';

/** What people read, by what the store has. */
const OUTCOMES: Readonly<Record<CommandState, string>> = {
  waiting: 'waiting',
  taken: 'sent',
  answered: 'answered',
  unsupported: 'unsupported',
  refused: 'refused',
  cancelled: 'cancelled',
  unknown: 'unknown',
};

export async function sendCommand(
  { store, operations }: HandlerParts,
  params: Params<'sendCommand'>,
): Promise<Response<'sendCommand'>> {
  const { ids, clusterid, zoneid, tag, all, wait, canary, key } = params;
  const locations = clusterid === undefined && zoneid === undefined ? undefined : await readLocations(store);
  const job = await operations.sendCommand({
    ids: ids?.split(','),
    clusterId: locations && idOf(COMMAND, 'clusterid', locations.clusters, clusterid, ({ id }) => id),
    zoneId: locations && idOf(COMMAND, 'zoneid', locations.zones, zoneid, ({ id }) => id),
    ...{ tag, all, wait, canary, key },
    commands: commandsOf(params),
    inSequence: params.insequence,
    stopOnError: params.stoponerror,
    maxConcurrency: params.maxconcurrency,
    maxErrors: params.maxerrors,
  });
  return { jobid: job.uuid };
}

export async function listCommandResults(
  { store }: HandlerParts,
  params: Params<'listCommandResults'>,
): Promise<Response<'listCommandResults'>> {
  const command = 'listCommandResults';
  const state = stateOf(command, params.outcome);
  const locations = await readLocations(store);
  const { count, rows } = await readLargePage(
    async part => {
      const page = await store.commandResults({ ...part, uuid: params.jobid, state });
      if (page === undefined)
        throw invalidParameter(command, 'jobid', params.jobid, 'there is no job of sendCommand with it');
      return page;
    },
    paging(command, params),
  );
  return { count, items: rows.map(row => resultObject(row, locations.servers.get(row.msid)?.name)) };
}

export async function cancelCommand(
  { operations }: HandlerParts,
  { jobid }: Params<'cancelCommand'>,
): Promise<Response<'cancelCommand'>> {
  const { cancelled, recalled } = await operations.cancelCommand({ jobId: jobid });
  const text = `${amountThat(cancelled, 'host', ['gets', 'get'])} no command any more`;
  const more = `of ${recalled} that may have it, it is taken back or ended where that is possible`;
  return { success: true, displaytext: recalled === 0 ? text : `${text}; ${more}` };
}

function resultObject(row: CommandResultRow, server: string | undefined): ResponseObject<'listCommandResults'> {
  return {
    hostid: row.hostUuid,
    hostname: row.hostName,
    outcome: OUTCOMES[row.state],
    result: row.isGood,
    reason: row.reason,
    answers: row.answers,
    truncated: row.isTruncated ? true : undefined,
    durationms: row.durationMs,
    managementservername: server,
  };
}

function stateOf(command: string, outcome: string | undefined): CommandState | undefined {
  if (outcome === undefined) return undefined;
  const known = Object.keys(OUTCOMES) as CommandState[];
  const state = known.find(one => OUTCOMES[one] === outcome.toLowerCase());
  if (state !== undefined) return state;
  throw invalidParameter(command, 'outcome', outcome, `these are allowed: ${Object.values(OUTCOMES).join(', ')}`);
}

/** @throws ApiError 431 */
function commandsOf({ class: type, fields, commands }: Params<'sendCommand'>): SendCommandArguments['commands'] {
  if (commands === undefined) {
    if (type === undefined) throw missingParameter(COMMAND, 'class');
    return [{ class: type, fields: recordIn('fields', fields ?? '{}') }];
  }
  for (const [name, value] of Object.entries({ class: type, fields })) {
    if (value !== undefined)
      throw invalidParameter(COMMAND, name, value.slice(0, 200), 'commands has the commands already');
  }
  const list = jsonOf('commands', commands);
  if (!Array.isArray(list))
    throw invalidParameter(COMMAND, 'commands', commands.slice(0, 200), 'a JSON array is expected');
  return list.map((entry: unknown, index) => {
    const name = `commands[${index}]`;
    if (!isRecord(entry) || typeof entry.class !== 'string') {
      throw invalidParameter(COMMAND, name, '', 'an object with class and fields is expected');
    }
    const { fields: given = {}, class: type, ...others } = entry;
    const [unknown] = Object.keys(others);
    if (unknown !== undefined)
      throw invalidParameter(COMMAND, `${name}.${unknown}`, '', 'a command has class and fields');
    if (!isRecord(given)) throw invalidParameter(COMMAND, `${name}.fields`, '', 'a JSON object is expected');
    return { class: type, fields: given };
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function recordIn(name: string, text: string): Readonly<Record<string, unknown>> {
  const value = jsonOf(name, text);
  if (isRecord(value)) return value;
  throw invalidParameter(COMMAND, name, text.slice(0, 200), 'a JSON object is expected');
}

function jsonOf(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : '';
    throw invalidParameter(COMMAND, name, text.slice(0, 200), `it is no JSON: ${why}`);
  }
}
