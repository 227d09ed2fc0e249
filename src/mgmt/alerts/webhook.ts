import { createHmac } from 'node:crypto';
import { dateText } from '../../api/moment.js';
import type { AlertKind } from '../../api/words.js';
import { withinLimit } from '../../lib/abort.js';
import type { Clock } from '../../lib/clock.js';

/** CloudStack's numbers and names of what alerts are about. */
export const ALERT_TYPES: Readonly<Record<AlertKind, { readonly type: number; readonly name: string }>> = {
  'server-down': { type: 14, name: 'ALERT.MANAGEMENT' },
  'drain-stuck': { type: 14, name: 'ALERT.MANAGEMENT' },
  'store-away': { type: 14, name: 'ALERT.MANAGEMENT' },
  'agents-nowhere': { type: 7, name: 'ALERT.COMPUTE.HOST' },
  'guid-fight': { type: 7, name: 'ALERT.COMPUTE.HOST' },
  'certificates-expiring': { type: 31, name: 'ALERT.CA.CERT' },
};

/** What is told of an alert. */
export interface Told {
  readonly uuid: string;
  readonly type: number;
  readonly name: string;
  readonly description: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly about: 'raised' | 'cleared';
  readonly cleared: number | null;
}

/** The body: CloudStack's fields of an alert, `state`, and when it was cleared. The same alert has the same `id`. */
export function webhookBody({ uuid, type, name, description, created, about, cleared }: Told): string {
  const fields = { id: uuid, type, name, description, sent: dateText(created), state: about };
  return JSON.stringify({ ...fields, ...(cleared !== null && { cleared: dateText(cleared) }) });
}

/** The header `X-Muster-Signature`. */
export function signatureOf(body: string, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

/** Posts a body of JSON. @throws what the connection ends with, or Error with the status that is no success */
export type PostJson = (url: string, body: string, headers: Readonly<Record<string, string>>) => Promise<void>;

const POST_LIMIT_MS = 10_000;

/** By HTTP or HTTPS, within 10 s. Redirections are no success. */
export function httpPoster(clock: Clock): PostJson {
  return async (url, body, headers) => {
    await withinLimit(
      clock,
      POST_LIMIT_MS,
      async signal => {
        const all = { 'content-type': 'application/json', ...headers };
        const answer = await fetch(url, { method: 'POST', body, headers: all, redirect: 'manual', signal });
        await answer.body?.cancel();
        if (!answer.ok) throw new Error(`HTTP status ${answer.status}`);
      },
      () => {
        throw new Error(`no answer within ${POST_LIMIT_MS / 1000} s`);
      },
    );
  };
}
