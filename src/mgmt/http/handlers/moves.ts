import { dateText } from '../../../api/moment.js';
import type { Params, Response, ResponseObject } from '../../../api/types.js';
import { readLargePage } from '../../store/pages.js';
import {
  MOVE_CAUSES,
  MOVE_KINDS,
  type MoveRow,
  type MoveSelection,
  type Page,
  type PageQuery,
  ROWS_A_PAGE,
} from '../../store/store.js';
import { present } from '../answers/fields.js';
import { momentOf } from '../answers/moments.js';
import { paging } from '../answers/paging.js';
import { invalidParameter } from '../api-error.js';
import type { HandlerParts } from './handler.js';
import { idOf, type Locations, readLocations } from './locations.js';

type Command = 'listMoves' | 'listMovesSummary';

export async function listMoves({ store }: HandlerParts, params: Params<'listMoves'>): Promise<Response<'listMoves'>> {
  const page = paging('listMoves', params);
  const locations = await readLocations(store);
  const selection = await selectionOf('listMoves', store, params, locations);
  const find = (part: MoveSelection & PageQuery): Promise<Page<MoveRow>> => store.moves(part);
  const { count, rows } = await readLargePage(find, { ...selection, ...page });
  const hosts = await hostsOf(store, rows);
  return { count, items: rows.map(row => moveObject(row, hosts.get(row.hostId), locations)) };
}

export async function listMovesSummary(
  { store }: HandlerParts,
  params: Params<'listMovesSummary'>,
): Promise<Response<'listMovesSummary'>> {
  const selection = await selectionOf('listMovesSummary', store, params, await readLocations(store));
  const summary = await store.moveSummary(selection);
  const items = summary.map(({ kind, cause, count, gap }) => ({
    ...{ kind, cause, count },
    ...{ gapmedian: gap?.p50, gapp99: gap?.p99, gapmax: gap?.max },
  }));
  return { count: items.length, items };
}

/** @throws ApiError 431, StoreError */
async function selectionOf(
  command: Command,
  store: HandlerParts['store'],
  params: Params<Command>,
  { servers }: Locations,
): Promise<MoveSelection> {
  const { hostid, managementserverid, startdate, enddate } = params;
  return present({
    hostId: hostid === undefined ? undefined : await hostId(command, store, hostid),
    msid: idOf(command, 'managementserverid', servers, managementserverid, server => server.msid),
    kind: oneOf(command, 'kind', MOVE_KINDS, params.kind),
    cause: oneOf(command, 'cause', MOVE_CAUSES, params.cause),
    since: momentOf(command, 'startdate', startdate),
    until: momentOf(command, 'enddate', enddate),
  });
}

async function hostId(command: Command, store: HandlerParts['store'], uuid: string): Promise<number> {
  const { rows } = await store.findHosts({ uuid, page: 1, pagesize: 1 });
  const [host] = rows;
  if (host === undefined) throw invalidParameter(command, 'hostid', uuid, 'there is no host with this id');
  return host.id;
}

function oneOf<T extends string>(
  command: Command,
  name: string,
  allowed: readonly T[],
  text: string | undefined,
): T | undefined {
  if (text === undefined) return undefined;
  const found = allowed.find(one => one === text.toLowerCase());
  if (found === undefined) throw invalidParameter(command, name, text, `allowed are ${allowed.join(', ')}`);
  return found;
}

/** Removed hosts, too, by their ids. */
async function hostsOf(store: HandlerParts['store'], rows: readonly MoveRow[]) {
  const ids = [...new Set(rows.map(({ hostId: id }) => id))];
  const hosts = new Map<number, { readonly uuid: string; readonly name: string }>();
  for (let i = 0; i < ids.length; i += ROWS_A_PAGE) {
    for (const host of await store.hostsById(ids.slice(i, i + ROWS_A_PAGE))) hosts.set(host.id, host);
  }
  return hosts;
}

function moveObject(
  { id, at, from, to, kind, cause, gapMs }: MoveRow,
  host: { readonly uuid: string; readonly name: string } | undefined,
  { servers }: Locations,
): ResponseObject<'listMoves'> {
  const [former, present] = [servers.get(from), servers.get(to)];
  return {
    ...{ id, created: dateText(at), at, hostid: host?.uuid, hostname: host?.name },
    frommanagementserverid: former?.uuid,
    frommanagementservername: former?.name,
    tomanagementserverid: present?.uuid,
    tomanagementservername: present?.name,
    ...{ kind, cause, gap: gapMs ?? undefined },
  };
}
