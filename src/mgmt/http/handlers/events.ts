import { dateText } from '../../../api/envelope.js';
import type { EventLevel } from '../../store/store.js';
import { invalidParameter } from '../api-error.js';
import { parseMoment } from '../authentication.js';
import { present } from './fields.js';
import type { Handler, HandlerParts } from './handler.js';
import { readLocations } from './locations.js';
import { paging } from './paging.js';

const LEVELS: readonly EventLevel[] = ['INFO', 'WARN', 'ERROR'];

export function listEvents({ store }: HandlerParts): Handler<'listEvents'> {
  return async params => {
    const { servers } = await readLocations(store);
    const { count, rows } = await store.events({
      ...paging('listEvents', params),
      ...present({
        level: params.level === undefined ? undefined : levelOf(params.level),
        type: params.type,
        keyword: params.keyword,
        since: params.startdate === undefined ? undefined : momentOf(params.startdate),
      }),
    });
    const items = rows.map(event => ({
      id: event.uuid,
      type: event.type,
      level: event.level,
      description: event.description,
      created: dateText(event.created),
      resourceid: event.resourceId,
      resourcetype: event.resourceType,
      managementserverid: servers.get(event.msid)?.uuid,
      managementservername: servers.get(event.msid)?.name,
    }));
    return { kind: 'list', count, items };
  };
}

function levelOf(text: string): EventLevel {
  const level = LEVELS.find(one => one === text.toUpperCase());
  if (level === undefined) throw invalidParameter('listEvents', 'level', text, `the levels are ${LEVELS.join(', ')}`);
  return level;
}

function momentOf(text: string): number {
  const moment = parseMoment(text) ?? parseMoment(`${text}T00:00:00Z`);
  if (moment === undefined) {
    throw invalidParameter(
      'listEvents',
      'startdate',
      text,
      'a date such as 2026-11-22 or 2026-11-22T09:00:00+0000 is expected',
    );
  }
  return moment;
}
