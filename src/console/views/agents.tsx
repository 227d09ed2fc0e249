import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { amount } from '../../lib/text/amount.js';
import { fleet, isFleetRead } from '../fleet.js';
import { type Group, groupByCause, matches, parseQuery, STATES, stateOf, wordsOf } from '../model/query.js';
import { NOWHERE, type Track, whereNow } from '../model/tracks.js';
import { hrefOf, replace, route } from '../router.js';
import { AgentLink, Ago, ServerOf, StateTag, Table, TrackState } from './parts.js';

const LINE = 28;
/** Lines above and below those that are seen. */
const MORE = 12;

export function AgentsPage() {
  const isGrouped = useSignal(false);
  const text = useComputed(() => route.value.search);
  const query = useComputed(() => parseQuery(text.value));
  const found = useComputed(() => fleet.value.tracks.filter(track => matches(track, query.value, fleet.value)));
  const groups = useComputed(() => groupByCause(found.value));
  const ask = (words: string) => replace(hrefOf('agents', { search: words }));
  /** Instead of other words about the same fields. */
  const narrow = (...words: readonly string[]) => {
    const fields = words.map(word => word.slice(0, word.indexOf(':') + 1));
    const others = text.value.split(/\s+/).filter(one => one !== '' && !fields.some(field => one.startsWith(field)));
    ask([...others, ...words].join(' '));
  };
  const counts = useComputed(() => {
    const all = new Map<string, number>();
    for (const track of fleet.value.tracks) all.set(stateOf(track), (all.get(stateOf(track)) ?? 0) + 1);
    return all;
  });
  if (!isFleetRead.value) return <p role="status">Reading where the agents are …</p>;
  return (
    <>
      <h1>Agents</h1>
      <section class="panel stack" aria-label="Agents">
        <div class="row">
          <label class="field">
            <span class="hidden">Which agents</span>
            <input
              type="search"
              size={44}
              value={text.value}
              placeholder="state:astray server:10.0.0.2 tag:ssd part-of-a-name"
              onInput={event => ask(event.currentTarget.value)}
              aria-describedby="query-help"
            />
          </label>
          {STATES.map(state => {
            const count = counts.value.get(state) ?? 0;
            return count === 0 ? null : (
              <button type="button" key={state} onClick={() => narrow(`state:${state}`)}>
                {state} {count.toLocaleString('en-US')}
              </button>
            );
          })}
          <span class="choice">
            <button type="button" aria-pressed={!isGrouped.value} onClick={() => (isGrouped.value = false)}>
              One by one
            </button>
            <button type="button" aria-pressed={isGrouped.value} onClick={() => (isGrouped.value = true)}>
              By cause
            </button>
          </span>
          <span class="muted" role="status">
            {amount(found.value.length, 'agent')}
          </span>
        </div>
        <p class="hint" id="query-help">
          {query.value.unknown.length > 0
            ? `Nothing is known by ${query.value.unknown.join(' ')}.`
            : 'Words that must all match: state, server, preferred, zone, cluster, tag, cause, kind, each with a colon and a value, or a part of the name.'}
        </p>
        {isGrouped.value ? <Groups groups={groups.value} narrow={narrow} /> : <Grid tracks={found.value} />}
      </section>
    </>
  );
}

interface GroupsParts {
  readonly groups: readonly Group[];
  narrow(...words: readonly string[]): void;
}

function Groups({ groups, narrow }: GroupsParts) {
  const names = (tracks: readonly Track[]) => {
    const shown = tracks.slice(0, 3).map(({ id, name }) => <AgentLink key={id} id={id} name={name} />);
    const links = shown.flatMap((link, index) => (index === 0 ? [link] : [', ', link]));
    return (
      <>
        {links}
        {tracks.length > 3 && ` and ${(tracks.length - 3).toLocaleString('en-US')} more`}
      </>
    );
  };
  return (
    <Table
      label="Agents by state and cause"
      items={groups}
      keyOf={({ state, server, cause }) => `${state} ${server} ${cause}`}
      empty="No agent matches."
      columns={[
        { name: 'state', isShort: true, cell: ({ state }) => <StateTag state={state} /> },
        {
          name: 'agents',
          isNumber: true,
          cell: group => (
            <button type="button" class="plain" onClick={() => narrow(...wordsOf(group, fleet.value))}>
              {group.tracks.length.toLocaleString('en-US')}
            </button>
          ),
        },
        { name: 'on', isShort: true, cell: ({ server }) => <ServerOf number={server} /> },
        {
          name: 'cause',
          isShort: true,
          cell: ({ cause }) =>
            cause && (
              <button type="button" class="plain" onClick={() => narrow(`cause:${cause}`)}>
                {cause}
              </button>
            ),
        },
        { name: 'last', isShort: true, cell: ({ since }) => <Ago at={since} /> },
        { name: 'which', cell: ({ tracks }) => names(tracks) },
      ]}
    />
  );
}

const COLUMNS = ['name', 'state', 'on', 'prefers', 'since', 'last move', 'zone', 'tags'] as const;

/** Only the lines that are seen are there: ten thousand of them scroll as ten do. */
function Grid({ tracks }: { readonly tracks: readonly Track[] }) {
  const seen = useSignal({ top: 0, height: 600 });
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const look = () => {
      seen.value = { top: element.scrollTop, height: element.clientHeight };
    };
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, [seen]);
  const first = Math.max(0, Math.floor(seen.value.top / LINE) - MORE);
  const end = Math.min(tracks.length, Math.ceil((seen.value.top + seen.value.height) / LINE) + MORE);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <section class="grid" ref={box} aria-label="Agents" tabIndex={0}>
      <table aria-rowcount={tracks.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {COLUMNS.map(name => (
              <th scope="col" key={name}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Space lines={first} />
          {tracks.slice(first, end).map((track, index) => (
            <Line key={track.id} track={track} index={first + index + 2} />
          ))}
          <Space lines={tracks.length - end} />
        </tbody>
      </table>
      {tracks.length === 0 && <p class="empty">No agent matches.</p>}
    </section>
  );
}

/** In place of the lines that are not seen. */
function Space({ lines }: { readonly lines: number }) {
  if (lines === 0) return null;
  return (
    <tr>
      <td colSpan={COLUMNS.length} style={{ height: `${lines * LINE}px` }} />
    </tr>
  );
}

function Line({ track, index }: { readonly track: Track; readonly index: number }) {
  const last = track.steps.at(-1);
  const gap = last?.gap ? `, ${last.gap.toLocaleString('en-US')} ms` : '';
  return (
    <tr aria-rowindex={index}>
      <td>
        <AgentLink id={track.id} name={track.name} />
      </td>
      <td>
        <TrackState track={track} />
      </td>
      <td>
        <ServerOf number={whereNow(track)} />
      </td>
      <td>{track.preferred === NOWHERE ? '–' : <ServerOf number={track.preferred} />}</td>
      <td>{last === undefined ? 'a day or more' : <Ago at={last.at} />}</td>
      <td>{last !== undefined && `${last.kind} (${last.cause}${gap})`}</td>
      <td>{track.zone}</td>
      <td>{track.tags.join(', ')}</td>
    </tr>
  );
}
