import { dateText } from '../../../api/moment.js';
import type { Params, Response, ResponseObject } from '../../../api/types.js';
import { readLargePage } from '../../store/pages.js';
import type { EventLevel, EventRow } from '../../store/store.js';
import { present } from '../answers/fields.js';
import { momentOf } from '../answers/moments.js';
import { paging } from '../answers/paging.js';
import { invalidParameter } from '../api-error.js';
import type { HandlerParts } from './handler.js';
import { type Locations, readLocations } from './locations.js';

const LEVELS: readonly EventLevel[] = ['INFO', 'WARN', 'ERROR'];

export async function listEvents(
  { store }: HandlerParts,
  params: Params<'listEvents'>,
): Promise<Response<'listEvents'>> {
  const locations = await readLocations(store);
  const { count, rows } = await readLargePage(part => store.events(part), {
    ...paging('listEvents', params),
    ...present({
      level: params.level === undefined ? undefined : levelOf(params.level),
      type: params.type,
      keyword: params.keyword,
      since: momentOf('listEvents', 'startdate', params.startdate),
    }),
  });
  return { count, items: rows.map(row => eventObject(row, locations)) };
}

function eventObject(event: EventRow, { servers }: Locations): ResponseObject<'listEvents'> {
  const server = servers.get(event.msid);
  return {
    id: event.uuid,
    type: event.type,
    level: event.level,
    description: event.description,
    created: dateText(event.created),
    resourceid: event.resourceId,
    resourcetype: event.resourceType,
    username: event.username,
    managementserverid: server?.uuid,
    managementservername: server?.name,
  };
}

/** @throws ApiError 431 */
function levelOf(text: string): EventLevel {
  const level = LEVELS.find(one => one === text.toUpperCase());
  if (level === undefined) throw invalidParameter('listEvents', 'level', text, `the levels are ${LEVELS.join(', ')}`);
  return level;
}
