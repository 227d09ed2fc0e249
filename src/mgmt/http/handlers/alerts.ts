import { dateText } from '../../../api/moment.js';
import type { Params, Response } from '../../../api/types.js';
import { readConfiguration } from '../../config/parameters.js';
import { lasting, type Silences, silencedTo } from '../../config/silences.js';
import { readLargePage } from '../../store/pages.js';
import { present } from '../answers/fields.js';
import { momentOf } from '../answers/moments.js';
import { hasKeyword, pageOf, paging } from '../answers/paging.js';
import { invalidParameter } from '../api-error.js';
import type { HandlerParts } from './handler.js';

const MINUTE_MS = 60_000;

export async function listAlerts(parts: HandlerParts, params: Params<'listAlerts'>): Promise<Response<'listAlerts'>> {
  const { store, clock } = parts;
  const { count, rows } = await readLargePage(part => store.alerts(part), {
    ...paging('listAlerts', params),
    ...present({ uuid: params.id, type: params.type, isOpen: params.open, keyword: params.keyword }),
  });
  const silences = rows.length === 0 ? undefined : await readSilences(parts);
  const items = rows.map(({ uuid, type, name, description, created, cleared, subject }) => {
    const end =
      silences === undefined || cleared !== null ? undefined : silencedTo(silences, subject, clock.wallTime());
    return {
      id: uuid,
      type,
      name,
      description,
      sent: dateText(created),
      cleared: cleared === null ? undefined : dateText(cleared),
      subject,
      silencedto: end === undefined ? undefined : dateText(end),
    };
  });
  return { count, items };
}

export async function silenceAlert(
  { operations, clock }: HandlerParts,
  { subject, minutes, end: endText, reason }: Params<'silenceAlert'>,
): Promise<Response<'silenceAlert'>> {
  if ((minutes === undefined) === (endText === undefined)) {
    throw invalidParameter('silenceAlert', 'end', endText ?? '', 'either this or minutes is to be given');
  }
  const end = momentOf('silenceAlert', 'end', endText) ?? clock.wallTime() + (minutes ?? 0) * MINUTE_MS;
  const silence = await operations.silenceAlert({ subject, end, reason });
  return { subject: silence.subject, end: dateText(silence.end) };
}

export async function listAlertSilences(
  parts: HandlerParts,
  params: Params<'listAlertSilences'>,
): Promise<Response<'listAlertSilences'>> {
  const page = paging('listAlertSilences', params);
  const silences = lasting(await readSilences(parts), parts.clock.wallTime());
  const matching = [...silences].filter(([subject]) => hasKeyword(subject, params.keyword));
  const items = pageOf(matching, page).map(([subject, end]) => ({ subject, end: dateText(end) }));
  return { count: matching.length, items };
}

export async function deleteAlertSilence(
  { operations }: HandlerParts,
  { subject }: Params<'deleteAlertSilence'>,
): Promise<Response<'deleteAlertSilence'>> {
  await operations.deleteAlertSilence({ subject });
  return { success: true, displaytext: `alerts ${subject} are posted again` };
}

async function readSilences({ store }: Pick<HandlerParts, 'store'>): Promise<Silences> {
  return readConfiguration(await store.configuration()).configuration.values['alert.silences'];
}
