import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Refusal } from '../api.js';
import { fleet } from '../fleet.js';
import { momentOf, now } from '../live.js';
import { type State, stateOf } from '../model/query.js';
import { dateAndTime, seconds } from '../model/text.js';
import { NOT_YET, NOWHERE, type Track } from '../model/tracks.js';
import { colourOf } from '../palette.js';
import { hrefOf } from '../router.js';

export function Swatch({ number }: { readonly number: number }) {
  if (number === NOWHERE) return <span class="swatch none" />;
  return <span class="swatch" style={{ background: colourOf(number) }} />;
}

/** A server by its number in the fleet. */
export function ServerOf({ number }: { readonly number: number }) {
  const address = fleet.value.servers[number - 1]?.address;
  return (
    <span class="server">
      <Swatch number={number} />
      {number === NOWHERE ? 'nowhere' : number === NOT_YET ? 'not yet' : (address ?? 'unknown')}
    </span>
  );
}

/** A server by its address. */
export function ServerAt({ address }: { readonly address: string | null | undefined }) {
  if (!address) return <span class="muted">none</span>;
  const number = fleet.value.servers.findIndex(server => server.address === address) + 1;
  return (
    <span class="server">
      <Swatch number={number || NOT_YET} />
      {address}
    </span>
  );
}

export function AgentLink({ id, name }: { readonly id: string; readonly name: string }) {
  return <a href={hrefOf('agent', { path: id })}>{name}</a>;
}

const STATE_TAGS: Readonly<Record<State, string>> = { ready: 'good', astray: 'notice', nowhere: 'bad', new: '' };

export function StateTag({ state }: { readonly state: State }) {
  return <span class={`tag ${STATE_TAGS[state]}`}>{state}</span>;
}

export function TrackState({ track }: { readonly track: Track }) {
  return <StateTag state={stateOf(track)} />;
}

/** How long ago, with the moment itself as a title. */
export function Ago({ at }: { readonly at: number | string | null | undefined }) {
  const moment = typeof at === 'number' ? at : momentOf(at);
  if (moment === undefined) return <span class="muted">–</span>;
  const age = now.value - moment;
  const text = age >= 0 ? `${seconds(age)} ago` : `in ${seconds(-age)}`;
  return <time title={dateAndTime(moment)}>{age >= 0 && age < 1_000 ? 'now' : text}</time>;
}

/** A moment as such. */
export function At({ at }: { readonly at: number | string | null | undefined }) {
  const moment = typeof at === 'number' ? at : momentOf(at);
  return moment === undefined ? <span class="muted">–</span> : <time>{dateAndTime(moment)}</time>;
}

export function Facts({ facts }: { readonly facts: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value === undefined || value === null || value === '' ? <span class="muted">–</span> : value}</dd>
        </div>
      ))}
    </dl>
  );
}

export interface Column<T> {
  readonly name: string;
  readonly isNumber?: boolean;
  readonly isShort?: boolean;
  cell(item: T): ComponentChildren;
}

export interface TableParts<T> {
  readonly label: string;
  readonly columns: readonly Column<T>[];
  readonly items: readonly T[];
  keyOf(item: T): string;
  readonly empty: string;
}

export function Table<T>({ label, columns, items, keyOf, empty }: TableParts<T>) {
  if (items.length === 0) return <p class="empty">{empty}</p>;
  const classOf = ({ isNumber, isShort }: Column<T>) => (isNumber ? 'number nowrap' : isShort ? 'nowrap' : '');
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <section class="scroll" tabIndex={0} aria-label={`${label} (table)`}>
      <table>
        <thead>
          <tr>
            {columns.map(column => (
              <th key={column.name} scope="col" class={classOf(column)}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {items.map(item => (
            <tr key={keyOf(item)}>
              {columns.map(column => (
                <td key={column.name} class={classOf(column)}>
                  {column.cell(item)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export interface ActionParts {
  readonly label: string;
  /** What is asked before it is done. @default it is done at once */
  readonly question?: string;
  readonly kind?: 'primary' | 'danger';
  readonly disabled?: boolean;
  /** @returns what was done, for the one who pressed the button @throws Refusal */
  perform(): Promise<string>;
}

/** A button that asks the server for something, and says what came of it. */
export function Action({ label, question, kind, disabled, perform }: ActionParts) {
  const outcome = useSignal<{ readonly text: string; readonly isBad: boolean } | undefined>(undefined);
  const isBusy = useSignal(false);
  const isAsking = useSignal(false);
  const act = async () => {
    isAsking.value = false;
    isBusy.value = true;
    outcome.value = undefined;
    try {
      outcome.value = { text: await perform(), isBad: false };
    } catch (error) {
      outcome.value = { text: reasonOf(error), isBad: true };
    }
    isBusy.value = false;
  };
  const press = () => {
    if (question === undefined) void act();
    else isAsking.value = true;
  };
  return (
    <span class="row">
      <button type="button" class={kind ?? ''} disabled={disabled || isBusy.value} onClick={press}>
        {label}
      </button>
      <span role="status" class={outcome.value?.isBad ? 'bad small' : 'muted small'}>
        {isBusy.value ? 'under way …' : outcome.value?.text}
      </span>
      {isAsking.value && (
        <Dialog
          title={`${label}?`}
          onClose={() => {
            isAsking.value = false;
          }}
        >
          <p>{question}</p>
          <div class="row">
            <button type="button" class={kind ?? 'primary'} onClick={() => void act()}>
              {label}
            </button>
            <button
              type="button"
              onClick={() => {
                isAsking.value = false;
              }}
            >
              Cancel
            </button>
          </div>
        </Dialog>
      )}
    </span>
  );
}

function Dialog({
  title,
  onClose,
  children,
}: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => element.current?.showModal(), []);
  return (
    <dialog ref={element} onClose={onClose} aria-label={title}>
      <div class="stack">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

export function reasonOf(error: unknown): string {
  if (error instanceof Refusal) return error.message;
  return error instanceof Error ? error.message : String(error);
}

/** What a page reads by itself: again when `again` changes. */
export function useReading<T>(read: () => Promise<T>, again: readonly unknown[]) {
  const value = useSignal<T | undefined>(undefined);
  const failure = useSignal<string | undefined>(undefined);
  // The caller says when it is read again.
  useEffect(() => {
    let isOver = false;
    read().then(
      result => {
        if (isOver) return;
        value.value = result;
        failure.value = undefined;
      },
      error => {
        if (!isOver) failure.value = reasonOf(error);
      },
    );
    return () => {
      isOver = true;
    };
  }, again);
  return { value, failure };
}

export function Failure({ text }: { readonly text: string | undefined }) {
  return text === undefined ? null : (
    <p class="banner bad" role="alert">
      {text}
    </p>
  );
}
