import type { Params, Response, ResponseObject } from '../../../api/types.js';
import { type Interruptible, mapInSteps, runInTurns, workCounter } from '../../../lib/interruptible.js';
import { parseReportedList } from '../../../protocol/host-list.js';
import { readHosts, readLargePage } from '../../store/pages.js';
import type { HostRow, MoveKind, MoveRow } from '../../store/store.js';
import { present } from '../answers/fields.js';
import { momentOf } from '../answers/moments.js';
import { paging } from '../answers/paging.js';
import type { HandlerParts } from './handler.js';
import { tagFields } from './host-object.js';
import { readLocations } from './locations.js';

const COMMAND = 'listPlacements';
/** Some 20 MB of text. */
const MOVES_MAX = 500_000;

export async function listPlacements(
  { clock, store }: HandlerParts,
  { startdate, hostid }: Params<'listPlacements'>,
): Promise<Response<'listPlacements'>> {
  const start = momentOf(COMMAND, 'startdate', startdate) ?? 0;
  const locations = await readLocations(store);
  const servers = await store.servers();
  const place = new Map(servers.map(({ msid }, index) => [msid, index + 1]));
  const filter = present({ uuid: hostid });
  const { rows } = await readHosts(part => store.findHosts(part), { ...filter, ...paging(COMMAND, { pagesize: -1 }) });
  const only = hostid === undefined ? {} : { hostId: rows[0]?.id ?? 0 };
  const query = { ...only, since: start, page: 1, pagesize: MOVES_MAX };
  const { rows: moves } = await readLargePage(part => store.moves(part), query);
  const byHost = await runInTurns(movesByHost(moves), clock);
  const numberOf = (msid: number | null) => place.get(msid ?? 0) ?? 0;
  const placement = (row: HostRow): Placement => {
    const own = byHost.get(row.id) ?? [];
    const before = serverBefore(row, own[0]);
    return {
      hostid: row.uuid,
      hostname: row.name,
      zonename: locations.zones.get(row.zoneId)?.name,
      clustername: locations.clusters.get(row.clusterId)?.name,
      hosttags: tagFields(row).hosttags,
      state: row.status,
      preferredhost: parseReportedList(row.msHostList ?? undefined).hosts[0],
      server: before === undefined ? undefined : numberOf(before),
      moves: own
        .map(({ at, to, kind, cause, gapMs }) => `${at - start}:${numberOf(to)}:${kind}:${cause}:${gapMs ?? ''}`)
        .join(' '),
    };
  };
  return {
    start,
    count: rows.length,
    cut: moves.length < MOVES_MAX ? undefined : moves.at(-1)?.at,
    servers: servers.map(({ uuid, name, serviceIp }) => ({ id: uuid, name, address: serviceIp })),
    hosts: await runInTurns(mapInSteps(rows, placement), clock),
  };
}

type Placement = ResponseObject<'listPlacements'>['hosts'][number];

/** Oldest first. @param moves newest first */
function* movesByHost(moves: readonly MoveRow[]): Interruptible<ReadonlyMap<number, readonly MoveRow[]>> {
  const isStepFull = workCounter(MOVES_PER_STEP);
  const byHost = new Map<number, MoveRow[]>();
  for (const move of moves.toReversed()) {
    const own = byHost.get(move.hostId);
    if (own === undefined) byHost.set(move.hostId, [move]);
    else own.push(move);
    if (isStepFull(1)) yield;
  }
  return byHost;
}

const MOVES_PER_STEP = 5_000;

/** These end a link that the host has, or take its place: before them it was on the server that they name. */
const FROM_A_LINK: ReadonlySet<MoveKind> = new Set(['lost', 'failback', 'migrate', 'suspect', 'left-list', 'register']);

/** Which server had a host before its first move, or without one now; undefined: it had not come yet. */
function serverBefore({ status, msid, lastMsid }: HostRow, first: MoveRow | undefined): number | null | undefined {
  if (first === undefined) return status === 'Up' ? msid : lastMsid === null ? undefined : null;
  if (FROM_A_LINK.has(first.kind)) return first.from;
  if (first.from === null) return undefined;
  // A failover that tells its gap began with a loss that its server has not seen.
  return first.kind === 'failover' && first.gapMs !== null ? first.from : null;
}
