import type { Handler, HandlerParts } from './handler.js';
import { pageOf, paging } from './paging.js';

export function previewHostList({ operations }: HandlerParts): Handler<'previewHostList'> {
  return async params => {
    const page = paging('previewHostList', params);
    const { proposed, moving, shares, hosts } = await operations.previewChange(params);
    return {
      kind: 'object',
      fields: {
        host: proposed.servers.join(','),
        algorithm: proposed.algorithm,
        agentscount: hosts.length,
        moves: moving,
        shares: [...shares].map(([address, led]) => ({ address, agents: led, percent: percent(led, hosts.length) })),
        count: hosts.length,
        agents: pageOf(hosts, page).map(({ row, moves, list }) => {
          const hostlist = list();
          return { hostid: row.uuid, hostname: row.name, preferredhost: hostlist[0], hostlist, moves };
        }),
      },
    };
  };
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 1000) / 10;
}
