import { reasonOf } from '../../../lib/errors.js';
import { runInTurns } from '../../../lib/interruptible.js';
import { parseReportedList } from '../../../protocol/host-list.js';
import { PARAMETERS, type ParameterValues } from '../../config/parameters.js';
import { ValueError } from '../../config/value-kinds.js';
import { algorithms } from '../../lists/algorithms.js';
import { type ListedAgent, type ListSettings, previewInSteps, zoneHostIdsOf } from '../../lists/preview.js';
import type { HostRow } from '../../store/store.js';
import type { Administration } from '../administration.js';
import { invalidParameter } from '../api-error.js';
import type { Handler } from './handler.js';
import { pageOf, paging } from './paging.js';

export function previewHostList({ clock, store, configuration }: Administration): Handler<'previewHostList'> {
  return async params => {
    const page = paging('previewHostList', params);
    const { version, values } = configuration();
    const now = settingsOf(values, version);
    const proposed: ListSettings = {
      ...now,
      servers: params.host === undefined ? now.servers : proposedHost(params.host),
      algorithm: params.algorithm === undefined ? now.algorithm : proposedAlgorithm(params.algorithm),
      seed: String(version + 1),
    };
    const agents = (await store.hosts()).map(row => ({ ...listedAgent(row, now), row }));
    const { moving, shares, before, after } = await runInTurns(previewInSteps(agents, now, proposed), clock);
    const zones = zoneHostIdsOf(agents);
    const listed = agents.map(({ row, hostId, zoneId }, index) => ({
      row,
      moves: before[index] !== after[index],
      list: () => listOf(hostId, after[index], zones.get(zoneId) ?? [], proposed),
    }));
    return {
      kind: 'object',
      fields: {
        host: proposed.servers.join(','),
        algorithm: proposed.algorithm,
        agentscount: agents.length,
        moves: moving,
        shares: [...shares].map(([address, led]) => ({ address, agents: led, percent: percent(led, agents.length) })),
        count: agents.length,
        agents: pageOf(listed, page).map(({ row, moves, list }) => {
          const hostlist = list();
          return { hostid: row.uuid, hostname: row.name, preferredhost: hostlist[0], hostlist, moves };
        }),
      },
    };
  };
}

/** What lists follow from, of a whole configuration. */
export function settingsOf(values: ParameterValues, version: number): ListSettings {
  return {
    algorithm: values['indirect.agent.lb.algorithm'],
    servers: values.host,
    weights: values['indirect.agent.lb.weights'],
    seed: String(version),
  };
}

/** A host, as far as lists go. */
export function listedAgent({ id, zoneId, preferred, msHostList }: HostRow, { algorithm }: ListSettings): ListedAgent {
  const reported = parseReportedList(msHostList ?? undefined).hosts[0];
  return { hostId: id, zoneId, preferred: algorithm === 'rendezvous' ? (preferred ?? reported) : reported };
}

function listOf(
  hostId: number,
  first: string | undefined,
  zoneHostIds: readonly number[],
  { algorithm, servers, weights, seed }: ListSettings,
): readonly string[] {
  return algorithms[algorithm]({ servers, zoneHostIds, hostId, seed, preferred: first, weights });
}

/** @throws ApiError 431 */
function proposedHost(text: string): ParameterValues['host'] {
  return parsed('host', text, () => PARAMETERS.host.kind.parse(text));
}

/** @throws ApiError 431 */
function proposedAlgorithm(text: string): ParameterValues['indirect.agent.lb.algorithm'] {
  return parsed('algorithm', text, () => PARAMETERS['indirect.agent.lb.algorithm'].kind.parse(text));
}

function parsed<T>(parameter: string, text: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw invalidParameter('previewHostList', parameter, text, reasonOf(error));
  }
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 1000) / 10;
}
