import type { Clock } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import { invalidArgument } from '../../lib/operation-error.js';
import { PEER_TEXT_LENGTH, peerText } from '../../lib/text/peer-text.js';
import type { EventSink } from '../cluster/events.js';
import { readConfiguration } from '../config/parameters.js';
import {
  checkedSubject,
  lasting,
  MOST_SILENCES,
  parseSilences,
  type Silences,
  silencesText,
} from '../config/silences.js';
import { ValueError } from '../config/value-kinds.js';
import type { Store } from '../store/store.js';
import { judgedAnew } from './reassign.js';

export interface ChangeSilencesParts {
  readonly store: Pick<Store, 'configuration' | 'updateConfiguration'>;
  readonly clock: Pick<Clock, 'wallTime'>;
  readonly events: EventSink;
  configurationChanged(): Promise<void>;
}

export interface SilenceAlertArguments {
  /** A kind of alert, or the subject of one. */
  readonly subject: string;
  /** Milliseconds since 1970, within a year; kept in whole minutes. */
  readonly end: number;
  /** Why: the event tells it. */
  readonly reason?: string | undefined;
}

const YEAR_MS = 366 * 86_400_000;

/**
 * Keeps alerts from the webhooks until then, in place of a silence that the subject has. It is a value of the configuration,
 * `alert.silences`: servers know that by heart while the store is away.
 * @throws OperationError ARGUMENT_INVALID (`subject`, `end`, `reason`), OPERATION_REFUSED; StoreError
 */
export async function silenceAlert(
  parts: ChangeSilencesParts,
  { subject: text, end, reason = '' }: SilenceAlertArguments,
): Promise<{ readonly subject: string; readonly end: number }> {
  const { clock, events } = parts;
  const subject = checked(text);
  const now = clock.wallTime();
  const said = peerText(reason);
  if (!(end > now && end <= now + YEAR_MS)) {
    throw invalidArgument('end', String(new Date(end)), 'a moment within a year from now is allowed');
  }
  if (reason.length > PEER_TEXT_LENGTH) {
    throw invalidArgument('reason', said, `at most ${PEER_TEXT_LENGTH} characters are allowed`);
  }
  const silences = await change(parts, former => new Map([...former, [subject, end]]));
  const kept = silences.get(subject) ?? end;
  const why = said === '' ? '' : `: ${said}`;
  const description = `Alerts ${subject} are silent until ${new Date(kept).toISOString().slice(0, 16)}Z${why}`;
  events.add({ type: 'ALERT.SILENCE', level: 'INFO', description });
  await parts.configurationChanged();
  return { subject, end: kept };
}

/** Alerts are posted again. @throws OperationError ARGUMENT_INVALID (`subject`), OPERATION_REFUSED; StoreError */
export async function deleteAlertSilence(
  parts: ChangeSilencesParts,
  { subject }: { readonly subject: string },
): Promise<void> {
  await change(parts, former => {
    if (!former.has(subject))
      throw invalidArgument('subject', subject, 'it has no silence; listAlertSilences has them');
    return new Map([...former].filter(([one]) => one !== subject));
  });
  parts.events.add({ type: 'ALERT.SILENCE.DELETE', level: 'INFO', description: `Alerts ${subject} are posted again` });
  await parts.configurationChanged();
}

/** Those that are over go with each change. @returns as they are kept */
function change({ store, clock }: ChangeSilencesParts, changed: (former: Silences) => Silences): Promise<Silences> {
  return judgedAnew(store, async stored => {
    const { values } = readConfiguration(stored).configuration;
    const silences = changed(lasting(values['alert.silences'], clock.wallTime()));
    if (silences.size > MOST_SILENCES) {
      throw invalidArgument('subject', `${silences.size} silences`, `at most ${MOST_SILENCES} are allowed`);
    }
    const text = silencesText(silences);
    const { done } = await store.updateConfiguration(new Map([['alert.silences', text]]), stored.version);
    return done ? parseSilences(text) : undefined;
  });
}

/** @throws OperationError ARGUMENT_INVALID */
function checked(subject: string): string {
  try {
    return checkedSubject(subject);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw invalidArgument('subject', subject, reasonOf(error));
  }
}
