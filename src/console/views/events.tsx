import { useComputed, useSignal } from '@preact/signals';
import { events } from '../live.js';
import { Alerts } from './alerts.js';
import { Ago, At, Table } from './parts.js';

const LEVELS = ['', 'WARN', 'ERROR'] as const;
const KINDS: Readonly<Record<string, string>> = { ERROR: 'bad', WARN: 'notice' };

export function EventsPage() {
  const level = useSignal<string>('');
  const words = useSignal('');
  const shown = useComputed(() => {
    const wanted = words.value.trim().toLowerCase();
    return events.value.filter(
      event =>
        (level.value === '' || event.level === level.value) &&
        `${event.type} ${event.description} ${event.username ?? ''}`.toLowerCase().includes(wanted),
    );
  });
  return (
    <>
      <h1>Events and alerts</h1>
      <Alerts />
      <section class="panel stack" aria-labelledby="events">
        <h2 id="events">Events</h2>
        <div class="row">
          <label class="field">
            <span class="hidden">Words</span>
            <input
              type="search"
              size={36}
              placeholder="a part of the text or the type"
              onInput={event => (words.value = event.currentTarget.value)}
            />
          </label>
          <span class="choice">
            {LEVELS.map(one => (
              <button key={one} type="button" aria-pressed={level.value === one} onClick={() => (level.value = one)}>
                {one || 'All'}
              </button>
            ))}
          </span>
          <span class="muted small">the newest first, as they happen</span>
        </div>
        <Table
          label="Events"
          items={shown.value}
          keyOf={({ id }) => id}
          empty="No event matches."
          columns={[
            { name: 'when', isShort: true, cell: ({ created }) => <At at={created} /> },
            {
              name: 'age',
              isShort: true,
              cell: ({ created }) => (
                <span class="muted">
                  <Ago at={created} />
                </span>
              ),
            },
            {
              name: 'level',
              isShort: true,
              cell: one => <span class={`tag ${KINDS[one.level] ?? ''}`}>{one.level}</span>,
            },
            { name: 'type', isShort: true, cell: ({ type }) => <span class="mono">{type}</span> },
            { name: 'what', cell: ({ description }) => description },
            { name: 'by', isShort: true, cell: ({ username }) => username },
          ]}
        />
      </section>
    </>
  );
}
