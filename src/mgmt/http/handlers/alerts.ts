import { dateText } from '../../../api/moment.js';
import type { Params, Response } from '../../../api/types.js';
import { readLargePage } from '../../store/pages.js';
import { present } from '../answers/fields.js';
import { paging } from '../answers/paging.js';
import type { HandlerParts } from './handler.js';

export async function listAlerts(
  { store }: HandlerParts,
  params: Params<'listAlerts'>,
): Promise<Response<'listAlerts'>> {
  const { count, rows } = await readLargePage(part => store.alerts(part), {
    ...paging('listAlerts', params),
    ...present({ uuid: params.id, type: params.type, isOpen: params.open, keyword: params.keyword }),
  });
  const items = rows.map(({ uuid, type, name, description, created, cleared }) => ({
    id: uuid,
    type,
    name,
    description,
    sent: dateText(created),
    cleared: cleared === null ? undefined : dateText(cleared),
  }));
  return { count, items };
}
