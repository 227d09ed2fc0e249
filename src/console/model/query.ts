import { type Fleet, isAstray, NOT_YET, NOWHERE, type Track, whereNow } from './tracks.js';

/** What the table of agents can be asked for: words that must all match, such as `state:nowhere tag:ssd kvm-1`. */
export interface Query {
  /** Field and value; '' is a part of the name. In lower case. */
  readonly terms: readonly (readonly [Field, string])[];
  /** Words that mean nothing. */
  readonly unknown: readonly string[];
}

const FIELDS = ['state', 'server', 'preferred', 'zone', 'cluster', 'tag', 'cause', 'kind', 'name'] as const;
export type Field = (typeof FIELDS)[number];

/** The states of a host on its page: `ready` on its preferred server, `astray` on another one. */
export type State = 'ready' | 'astray' | 'nowhere' | 'new';
export const STATES: readonly State[] = ['ready', 'astray', 'nowhere', 'new'];

export function parseQuery(text: string): Query {
  const terms: (readonly [Field, string])[] = [];
  const unknown: string[] = [];
  for (const word of text.toLowerCase().split(/\s+/)) {
    if (word === '') continue;
    const [, name = '', value = ''] = /^([a-z]+):(.+)$/.exec(word) ?? [];
    const field = FIELDS.find(one => one === name);
    if (field !== undefined) terms.push([field, value]);
    else if (STATES.some(state => state === word)) terms.push(['state', word]);
    else if (/^[a-z]+:/.test(word)) unknown.push(word);
    else terms.push(['name', word]);
  }
  return { terms, unknown };
}

export function stateOf(track: Track): State {
  const server = whereNow(track);
  if (server === NOT_YET) return 'new';
  if (server === NOWHERE) return 'nowhere';
  return isAstray(track) ? 'astray' : 'ready';
}

/** Of its last move. */
function causeOf({ steps }: Track): string {
  return steps.at(-1)?.cause ?? 'unknown';
}

export function matches(track: Track, { terms }: Query, fleet: Pick<Fleet, 'servers'>): boolean {
  return terms.every(([field, value]) => matchesTerm(track, field, value, fleet));
}

function matchesTerm(track: Track, field: Field, value: string, { servers }: Pick<Fleet, 'servers'>): boolean {
  const address = (number: number) => servers[number - 1]?.address ?? '';
  switch (field) {
    case 'state':
      return stateOf(track) === value;
    case 'server':
      return address(whereNow(track)) === value;
    case 'preferred':
      return address(track.preferred) === value;
    case 'zone':
      return track.zone.toLowerCase() === value;
    case 'cluster':
      return track.cluster.toLowerCase() === value;
    case 'tag':
      return track.tags.some(tag => tag.toLowerCase() === value);
    case 'cause':
      return causeOf(track) === value;
    case 'kind':
      return track.steps.at(-1)?.kind === value;
    case 'name':
      return track.name.toLowerCase().includes(value);
  }
}

/** The words that find the hosts of a group, and no others. */
export function wordsOf({ state, server, cause }: Group, { servers }: Pick<Fleet, 'servers'>): readonly string[] {
  const address = servers[server - 1]?.address;
  return [
    `state:${state}`,
    ...(address === undefined ? [] : [`server:${address}`]),
    ...(cause === '' ? [] : [`cause:${cause}`]),
  ];
}

/** Hosts that are in one state for one reason. */
export interface Group {
  readonly state: State;
  /** The number of the server that they are on. */
  readonly server: number;
  readonly cause: string;
  readonly tracks: readonly Track[];
  /** The last moment at which one of them has changed its place. */
  readonly since: number | undefined;
}

/** The worst first, then the largest: 300 failures of one cause are one line. */
export function groupByCause(tracks: readonly Track[]): readonly Group[] {
  const groups = new Map<string, { state: State; server: number; cause: string; tracks: Track[]; since?: number }>();
  for (const track of tracks) {
    const state = stateOf(track);
    const last = track.steps.at(-1);
    // Why those that are well came once is of no interest.
    const cause = state === 'ready' ? '' : causeOf(track);
    const server = whereNow(track);
    const key = `${state} ${server} ${cause}`;
    const group = groups.get(key) ?? { state, server, cause, tracks: [] };
    groups.set(key, group);
    group.tracks.push(track);
    if (last !== undefined) group.since = Math.max(group.since ?? 0, last.at);
  }
  const worst: readonly State[] = ['nowhere', 'astray', 'new', 'ready'];
  return [...groups.values()]
    .map(({ since, ...group }) => ({ ...group, since }))
    .sort(
      (one, other) => worst.indexOf(one.state) - worst.indexOf(other.state) || other.tracks.length - one.tracks.length,
    );
}
