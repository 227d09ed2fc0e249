import type { Params, Response, ResponseObject } from '../../../api/types.js';
import { mapInSteps, runInTurns } from '../../../lib/interruptible.js';
import type { PreviewedHost } from '../../lists/preview-change.js';
import { pageOf, paging } from '../answers/paging.js';
import type { HandlerParts } from './handler.js';

export async function previewHostList(
  { clock, operations }: HandlerParts,
  { host, algorithm, weights, ...params }: Params<'previewHostList'>,
): Promise<Response<'previewHostList'>> {
  const page = paging('previewHostList', params);
  const { proposed, moving, shares, hosts } = await operations.previewChange({ host, algorithm, weights });
  return {
    host: proposed.servers.join(','),
    algorithm: proposed.algorithm,
    agentscount: hosts.length,
    moves: moving,
    shares: [...shares].map(share => shareObject(share, hosts.length)),
    count: hosts.length,
    agents: await runInTurns(mapInSteps(pageOf(hosts, page), agentObject), clock),
  };
}

type Preview = ResponseObject<'previewHostList'>;

function shareObject([address, agents]: [string, number], all: number): Preview['shares'][number] {
  return { address, agents, percent: all === 0 ? 0 : Math.round((agents / all) * 1000) / 10 };
}

function agentObject({ row, moves, list }: PreviewedHost): Preview['agents'][number] {
  const hostlist = list();
  return { hostid: row.uuid, hostname: row.name, preferredhost: hostlist[0], hostlist, moves };
}
