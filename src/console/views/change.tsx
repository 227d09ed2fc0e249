import { signal, useComputed, useSignal, useSignalEffect } from '@preact/signals';
import type { ResponseObject } from '../../api/types.js';
import { amount } from '../../lib/text/amount.js';
import { ask, list, Refusal } from '../api.js';
import { every } from '../clock.js';
import { fleet } from '../fleet.js';
import { type Configuration, configurations, isOperator, now } from '../live.js';
import {
  CHANGEABLE,
  type Change,
  changesOf,
  type Draft,
  draftBeside,
  passagesOf,
  previewOf,
  undoOf,
} from '../model/change.js';
import { CanaryPanel, canary } from './canary.js';
import { Ago, Failure, reasonOf, ServerAt, Table } from './parts.js';
import { Timeline } from './timeline.js';

type Preview = ResponseObject<'previewHostList'>;

interface Made {
  readonly at: number;
  readonly changes: readonly Change[];
}

// They outlive a look at another page.
const draft = signal<Draft>(new Map());
const preview = signal<{ readonly of: string; readonly told: Preview } | undefined>(undefined);
/** The last change first. */
const made = signal<readonly Made[]>([]);
/** Agents that have not taken the list that they should have; undefined: nothing is being followed. */
const behind = signal<number | undefined>(undefined);

const LOOK_MS = 2_000;
/** So often nobody has to be behind. */
const CALM = 3;

export function ChangePage() {
  const values = useComputed(() => new Map(configurations.value.map(({ name, value }) => [name, value])));
  const changes = useComputed(() => changesOf(draft.value, values.value));
  const asked = useComputed(() => previewOf(changes.value));
  const key = useComputed(() => JSON.stringify(asked.value ?? null));
  const failure = useSignal<string | undefined>(undefined);
  const isBusy = useSignal(false);
  const percent = useSignal(1);
  const told = useComputed(() => (preview.value?.of === key.value ? preview.value?.told : undefined));

  const attempt = async (work: () => Promise<void>) => {
    isBusy.value = true;
    failure.value = undefined;
    try {
      await work();
    } catch (error) {
      failure.value = reasonOf(error);
    }
    isBusy.value = false;
  };
  const look = () =>
    attempt(async () => {
      const of = key.value;
      preview.value = { of, told: await ask('previewHostList', { ...asked.value, pagesize: -1 }) };
    });
  const make = (wanted: readonly Change[]) =>
    attempt(async () => {
      const done: Change[] = [];
      try {
        for (const change of wanted) {
          await ask('updateConfiguration', { name: change.name, value: change.to });
          done.push(change);
        }
        draft.value = new Map();
      } catch (error) {
        const rest = wanted.slice(done.length + 1).map(({ name }) => name);
        const which = `${wanted[done.length]?.name}: ${reasonOf(error)}`;
        throw new Refusal(530, rest.length === 0 ? which : `${which} Not made: ${rest.join(', ')}.`);
      } finally {
        if (done.length > 0) made.value = [{ at: now.value, changes: done }, ...made.value];
        preview.value = undefined;
        if (previewOf(done) !== undefined) behind.value = fleet.value.tracks.length;
      }
    });
  const tryFirst = () =>
    attempt(async () => {
      if (asked.value === undefined) return;
      canary.value = await ask('startCanary', { ...asked.value, percent: percent.value });
      draft.value = draftBeside(draft.value, asked.value);
      preview.value = undefined;
    });
  const undo = () =>
    attempt(async () => {
      const [last, ...others] = made.value;
      if (last === undefined) return;
      for (const { name, to } of undoOf(last.changes)) await ask('updateConfiguration', { name, value: to });
      made.value = others;
      behind.value = fleet.value.tracks.length;
    });
  const proposed = useComputed(() =>
    told.value === undefined
      ? undefined
      : new Map(told.value.agents.map(({ hostid, preferredhost }) => [hostid, preferredhost ?? ''])),
  );
  return (
    <>
      <h1>Change</h1>
      <section class="panel stack" aria-labelledby="values">
        <h2 id="values">What agents are told</h2>
        <div class="fields">
          {CHANGEABLE.map(name => configurations.value.find(one => one.name === name))
            .filter(one => one !== undefined)
            .map(configuration => (
              <Value key={configuration.name} configuration={configuration} />
            ))}
        </div>
        {isOperator.value && (
          <div class="row">
            <button type="button" disabled={asked.value === undefined || isBusy.value} onClick={() => void look()}>
              Preview
            </button>
            <button
              type="button"
              class="primary"
              disabled={
                changes.value.length === 0 || isBusy.value || (asked.value !== undefined && told.value === undefined)
              }
              onClick={() => void make(changes.value)}
            >
              {changes.value.length === 0 ? 'Make changes' : `Make ${amount(changes.value.length, 'change')}`}
            </button>
            {told.value !== undefined && canary.value === undefined && (
              <>
                <button type="button" disabled={isBusy.value} onClick={() => void tryFirst()}>
                  Canary first
                </button>
                <label class="row small">
                  <input
                    type="number"
                    min={1}
                    max={50}
                    value={percent.value}
                    onInput={event => {
                      percent.value = event.currentTarget.valueAsNumber;
                    }}
                  />
                  % of the agents
                </label>
              </>
            )}
            <button
              type="button"
              disabled={changes.value.length === 0}
              onClick={() => {
                draft.value = new Map();
              }}
            >
              Discard
            </button>
            <span class="muted small">
              {asked.value !== undefined &&
                told.value === undefined &&
                'Lists would be others: look at the preview first.'}
            </span>
          </div>
        )}
        <Failure text={failure.value} />
      </section>
      <CanaryPanel
        values={values.value}
        onCommitted={done => {
          made.value = [{ at: now.value, changes: done }, ...made.value];
          behind.value = fleet.value.tracks.length;
        }}
      />
      {told.value !== undefined && <Previewed told={told.value} />}
      {proposed.value !== undefined && <Timeline proposed={proposed.value} />}
      <Progress />
      {made.value.length > 0 && (
        <section class="panel stack" aria-labelledby="made">
          <div class="row">
            <h2 id="made">What was changed here</h2>
            <button type="button" class="grow" disabled={isBusy.value} onClick={() => void undo()}>
              Undo the last
            </button>
          </div>
          {made.value.map(({ at, changes: of }) => (
            <p key={at}>
              <span class="muted">
                <Ago at={at} />
              </span>{' '}
              {of.map(({ name, from, to }) => `${name} from ${from || 'nothing'} to ${to || 'nothing'}`).join('; ')}
            </p>
          ))}
        </section>
      )}
    </>
  );
}

function Value({
  configuration: { name, value, defaultvalue, description, options },
}: {
  readonly configuration: Configuration;
}) {
  const shown = draft.value.get(name) ?? value;
  const change = (text: string) => {
    const next = new Map(draft.value);
    if (text === value) next.delete(name);
    else next.set(name, text);
    draft.value = next;
  };
  const isChanged = shown.trim() !== value;
  const common = { id: name, class: isChanged ? 'changed' : '', disabled: !isOperator.value };
  return (
    <label class={`field ${name === 'host' ? 'wide' : ''}`} for={name}>
      <span class="mono">{name}</span>
      {options ? (
        <select {...common} value={shown} onChange={event => change(event.currentTarget.value)}>
          {options.split(',').map(option => (
            <option key={option} value={option}>
              {option}
            </option>
          ))}
        </select>
      ) : (
        <input {...common} value={shown} spellcheck={false} onInput={event => change(event.currentTarget.value)} />
      )}
      <span class="hint">
        {description}
        {isChanged ? `. Now: ${value || 'nothing'}` : defaultvalue ? `. Default: ${defaultvalue}` : ''}
      </span>
    </label>
  );
}

function Previewed({ told }: { readonly told: Preview }) {
  const passages = passagesOf(fleet.value, told.agents);
  return (
    <section class="panel stack" aria-labelledby="preview">
      <h2 id="preview">
        {told.moves === 0
          ? 'No agent would move'
          : `${told.moves.toLocaleString('en-US')} of ${amount(told.agentscount, 'agent')} would move`}
      </h2>
      <div class="halves">
        <Table
          label="Who would move"
          items={passages}
          keyOf={({ from, to }) => `${from} ${to}`}
          empty="Every agent keeps its preferred server."
          columns={[
            { name: 'from', isShort: true, cell: ({ from }) => <ServerAt address={from} /> },
            { name: 'to', isShort: true, cell: ({ to }) => <ServerAt address={to} /> },
            { name: 'agents', isNumber: true, cell: ({ agents }) => agents.toLocaleString('en-US') },
          ]}
        />
        <Table
          label="Shares"
          items={told.shares}
          keyOf={({ address }) => address}
          empty="There is no server."
          columns={[
            { name: 'server', isShort: true, cell: ({ address }) => <ServerAt address={address} /> },
            { name: 'would be preferred by', isNumber: true, cell: ({ agents }) => agents.toLocaleString('en-US') },
            { name: 'share', isNumber: true, cell: ({ percent }) => `${percent} %` },
          ]}
        />
      </div>
    </section>
  );
}

/** How many agents have not taken their new list yet. The stream does not tell of lists: it is asked for. */
function Progress() {
  const most = useSignal(0);
  useSignalEffect(() => {
    if (behind.value === undefined) return;
    most.value = Math.max(most.peek(), behind.peek() ?? 0);
  });
  const isFollowing = useComputed(() => behind.value !== undefined);
  useSignalEffect(() => {
    if (!isFollowing.value) return;
    let calm = 0;
    return every(LOOK_MS, () => {
      list('listAgentLinks', { laggards: true, pagesize: 1 }).then(
        ({ count }) => {
          calm = count === 0 ? calm + 1 : 0;
          behind.value = calm >= CALM ? undefined : count;
        },
        () => undefined,
      );
    });
  });
  if (behind.value === undefined) return null;
  const taken = most.value - behind.value;
  return (
    <section class="panel stack" aria-labelledby="progress">
      <h2 id="progress">On its way to the agents</h2>
      <progress max={most.value || 1} value={taken} aria-labelledby="progress" />
      <p class="muted" role="status">
        {behind.value === 0
          ? 'No agent is behind.'
          : `${amount(behind.value, 'agent')} not known to have the new list yet.`}
      </p>
    </section>
  );
}
