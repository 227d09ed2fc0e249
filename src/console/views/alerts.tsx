import { useComputed, useSignal } from '@preact/signals';
import type { ResponseObject } from '../../api/types.js';
import { ALERT_KINDS } from '../../api/words.js';
import { ask, list } from '../api.js';
import { alerts, configured, isOperator } from '../live.js';
import type { Alert } from '../model/alerts.js';
import { Action, Ago, At, type Column, Failure, Table, useReading } from './parts.js';

type Silence = ResponseObject<'listAlertSilences'>;

/** Minutes, and how they are called. */
const LENGTHS = [
  [60, '1 h'],
  [240, '4 h'],
  [720, '12 h'],
  [1_440, '1 day'],
  [10_080, '7 days'],
] as const;

/** What is wrong now, and what of it is not posted. */
export function Alerts() {
  const isWatched = useComputed(() => configured('alert.webhook.url') !== '');
  const columns: readonly Column<Alert>[] = [
    { name: 'since', isShort: true, cell: ({ sent }) => <Ago at={sent} /> },
    { name: 'when', isShort: true, cell: ({ sent }) => <At at={sent} /> },
    { name: 'subject', isShort: true, cell: ({ subject }) => <span class="mono">{subject}</span> },
    { name: 'what', cell: ({ description }) => description },
    { name: 'silent', isShort: true, cell: alert => <Silent alert={alert} /> },
  ];
  return (
    <>
      <section class="panel stack" aria-labelledby="alerts">
        <h2 id="alerts">Open alerts</h2>
        {!isWatched.value && (
          <p class="banner notice">
            They are posted nowhere: <span class="mono">alert.webhook.url</span> names nobody to be told.
          </p>
        )}
        <Table
          label="Open alerts"
          items={alerts.value}
          keyOf={({ id }) => id}
          empty="Nothing is wrong that is known."
          columns={columns}
        />
      </section>
      <Silences />
    </>
  );
}

/** Whether it is kept from the webhooks. The API does not tell whether they have got it. */
function Silent({ alert: { subject, silencedto } }: { readonly alert: Alert }) {
  if (silencedto) {
    return (
      <>
        ends <Ago at={silencedto} />
      </>
    );
  }
  return (
    <span class="row">
      no
      {isOperator.value && (
        <Action
          label="Silence for 1 h"
          question="Nobody is told of this alert for an hour. It stays in the list."
          perform={() => silence(subject, 60, '')}
        />
      )}
    </span>
  );
}

function Silences() {
  // Silences are a value of the configuration, and the stream tells when it changes.
  const { value, failure } = useReading(
    () => list('listAlertSilences', { pagesize: -1 }),
    [configured('alert.silences')],
  );
  const silences = value.value?.items ?? [];
  const columns: readonly Column<Silence>[] = [
    { name: 'subject', isShort: true, cell: ({ subject }) => <span class="mono">{subject}</span> },
    { name: 'ends', isShort: true, cell: ({ end }) => <At at={end} /> },
    { name: 'from now', cell: ({ end }) => <Ago at={end} /> },
    ...(isOperator.value ? [{ name: 'end it', isShort: true, cell: EndSilence }] : []),
  ];
  if (silences.length === 0 && !isOperator.value) return null;
  return (
    <section class="panel stack" aria-labelledby="silences">
      <h2 id="silences">Silences</h2>
      <Failure text={failure.value} />
      <Table
        label="Silences"
        items={silences}
        keyOf={({ subject }) => subject}
        empty="No alert is silenced."
        columns={columns}
      />
      {isOperator.value && <NewSilence />}
    </section>
  );
}

function EndSilence({ subject }: Silence) {
  return <Action label="End" perform={async () => (await ask('deleteAlertSilence', { subject })).displaytext} />;
}

function NewSilence() {
  const subject = useSignal<string>(ALERT_KINDS[0]);
  const minutes = useSignal<number>(LENGTHS[0][0]);
  const reason = useSignal('');
  const subjects = [...new Set([...ALERT_KINDS, ...alerts.value.map(alert => alert.subject)])];
  return (
    <div class="row ends">
      <label class="field">
        Alerts
        <select value={subject.value} onChange={event => (subject.value = event.currentTarget.value)}>
          {subjects.map(one => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        For
        <select value={minutes.value} onChange={event => (minutes.value = Number(event.currentTarget.value))}>
          {LENGTHS.map(([length, name]) => (
            <option key={length} value={length}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        Reason
        <input
          size={30}
          maxLength={255}
          value={reason.value}
          onInput={event => (reason.value = event.currentTarget.value)}
        />
      </label>
      <Action
        label="Silence"
        kind="primary"
        perform={() => silence(subject.value, minutes.value, reason.value.trim())}
      />
    </div>
  );
}

/** @throws Refusal */
async function silence(subject: string, minutes: number, reason: string): Promise<string> {
  await ask('silenceAlert', { subject, minutes, ...(reason !== '' && { reason }) });
  return 'It is silent.';
}
