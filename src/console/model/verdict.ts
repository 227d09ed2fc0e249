import { amount, amountThat } from '../../lib/text/amount.js';
import { type Alert, seriousOf } from './alerts.js';
import { addresses, seconds } from './text.js';
import { compareAddresses, type Fleet, isAstray, isNowhere, NOT_YET, NOWHERE, type Track, whereNow } from './tracks.js';

/** A management server, as the verdict sees it. */
export interface ServerNow {
  readonly address: string;
  /** As in listManagementServers. */
  readonly state: string;
  readonly processState: string;
  /** When its process started, in milliseconds since 1970; undefined: not known. */
  readonly started: number | undefined;
  /** Agents that it would have after the death that is worst for it, as the server computes it; undefined: not known. */
  readonly survivorLoad: number | undefined;
  /** Its agents that would have nowhere to go if it died; undefined: not known. */
  readonly stranded: number | undefined;
}

/** A change that holds for a few agents first. */
export interface Canary {
  readonly id: number;
  /** By the servers' clock, in milliseconds since 1970. */
  readonly begun: number;
  readonly createdby: string;
}

type ServerState = Pick<ServerNow, 'state' | 'processState'>;

export interface Situation {
  readonly fleet: Fleet;
  readonly servers: readonly ServerNow[];
  readonly isStoreAway: boolean;
  /** Those that are open. */
  readonly alerts: readonly Alert[];
  /** Those that stand. */
  readonly canaries: readonly Canary[];
  /** Agents that one server can carry; 0: not known. */
  readonly capacity: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface Verdict {
  readonly level: 'good' | 'notice' | 'bad';
  readonly sentence: string;
}

export function takesAgents({ state, processState }: ServerState): boolean {
  return state === 'Up' && processState === 'Running';
}

/** It is not there, and nobody has asked for that. */
export function isDown({ state, processState }: ServerState): boolean {
  return state === 'Down' || (state === 'Up' && processState !== 'Running');
}

/** The state of the cluster in one sentence, and what is serious beyond that in others. */
export function verdict(situation: Situation): Verdict {
  const placed = verdictOfPlaces(situation);
  const over = situation.isStoreAway ? '' : overCapacity(situation);
  const serious = seriousOf(situation.alerts);
  const forgotten = forgottenCanary(situation);
  const isGood = placed.level === 'good';
  const own = isGood && (over || serious) ? '' : placed.sentence;
  const sentences = [own, over, serious, forgotten].filter(text => text !== '');
  return {
    level: serious !== '' ? 'bad' : isGood && (over || forgotten) ? 'notice' : placed.level,
    sentence: sentences.join(' '),
  };
}

/** Whoever looks at a canary ends it within this time. */
const CANARY_MS = 3_600_000;

/** '' when there is none: agents have lists that others have not, and nobody may know it any more. */
function forgottenCanary({ canaries, now }: Situation): string {
  const [canary] = canaries.filter(({ begun }) => now - begun >= CANARY_MS);
  if (canary === undefined) return '';
  return `The canary that ${canary.createdby} began ${seconds(now - canary.begun)} ago still stands: end it on the page Change.`;
}

/** Servers that have more agents now than they can carry; '' when there is none. */
function overCapacity({ fleet, servers, capacity }: Situation): string {
  if (capacity === 0) return '';
  const counts = new Map<string | undefined, number>();
  for (const track of fleet.tracks) {
    const address = addressOf(fleet, whereNow(track));
    counts.set(address, (counts.get(address) ?? 0) + 1);
  }
  const over = servers
    .map(({ address }) => ({ address, count: counts.get(address) ?? 0 }))
    .filter(({ count }) => count > capacity);
  if (over.length === 0) return '';
  const what = over.map(({ address, count }) => `${address} has ${amount(count, 'agent')}`).join(', ');
  return `Over capacity: ${what}, and ${capacity.toLocaleString('en-US')} fit.`;
}

function verdictOfPlaces(situation: Situation): Verdict {
  const { fleet, servers, isStoreAway, now } = situation;
  const down = servers.filter(isDown).toSorted((one, other) => compareAddresses(one.address, other.address));
  const lost = fleet.tracks.filter(track => isNowhere(track, now));
  const linked = fleet.tracks.filter(track => whereNow(track) > NOWHERE);
  if (isStoreAway) {
    return {
      level: 'bad',
      sentence: 'The store is away: agents keep their links, and nothing can be changed until it is back.',
    };
  }
  if (down.length > 0) return ofOutage(down, fleet, lost);
  if (lost.length > 0)
    return { level: 'bad', sentence: `${amountThat(lost.length, 'agent', ['is', 'are'])} nowhere: ${whyLost(lost)}.` };
  if (fleet.tracks.every(track => whereNow(track) === NOT_YET)) {
    return { level: 'notice', sentence: 'No agent has come yet.' };
  }
  const away = servers.filter(({ state }) => state !== 'Up');
  if (away.length > 0) {
    const left = linked.filter(track =>
      away.some(({ address }) => address === addressOf(fleet, whereNow(track))),
    ).length;
    const rest = left === 0 ? 'no agent is left there' : `${amountThat(left, 'agent', ['is', 'are'])} still there`;
    const what = away.map(({ address, state }) => `${address} is ${STATES[state] ?? state}`).join(', ');
    return { level: 'notice', sentence: `${what}: ${rest}.` };
  }
  const astray = fleet.tracks.filter(isAstray).length;
  if (astray > 0) {
    return {
      level: 'notice',
      sentence: `Every agent has its link; ${amountThat(astray, 'agent', ['is', 'are'])} not on the preferred server.`,
    };
  }
  return ofSurvival(situation);
}

const STATES: Readonly<Record<string, string>> = {
  PreparingForMaintenance: 'preparing for maintenance',
  Maintenance: 'in maintenance',
  PreparingForShutDown: 'preparing to shut down',
  ReadyToShutDown: 'ready to shut down',
  ShuttingDown: 'shutting down',
};

function ofOutage(down: readonly ServerNow[], fleet: Fleet, lost: readonly Track[]): Verdict {
  const byNumber = new Map(
    down.map(server => [fleet.servers.findIndex(({ address }) => address === server.address) + 1, server]),
  );
  const gaps = fleet.tracks.map(track => gapSince(track, byNumber)).filter(gap => gap !== undefined);
  const slowest = gaps.reduce((most, gap) => Math.max(most, gap), 0);
  const took = slowest > 0 ? ` in ${seconds(slowest)}` : '';
  const moved = gaps.length === 0 ? 'no agent was on it' : `${amount(gaps.length, 'agent')} moved${took}`;
  const count = lost.length === 0 ? 'none' : lost.length.toLocaleString('en-US');
  const none = `${count} ${lost.length < 2 ? 'is' : 'are'} nowhere`;
  const [is, it] = down.length === 1 ? ['is', moved] : ['are', moved.replace(' on it', ' on them')];
  const rest =
    gaps.length === 0 && lost.length === 0 ? it : `${gaps.length === 0 ? 'no agent has moved' : it}, ${none}`;
  return { level: 'bad', sentence: `${addresses(down.map(({ address }) => address))} ${is} down: ${rest}.` };
}

/** How long the host had no link when it left one of these servers, as that ended, for where it is now; undefined: it has not. */
function gapSince({ first, steps }: Track, servers: ReadonlyMap<number, ServerNow>): number | undefined {
  const arrival = steps.at(-1);
  if (arrival === undefined || arrival.server <= NOWHERE || servers.has(arrival.server)) return undefined;
  const held = steps.slice(0, -1).findLast(({ server }) => server > NOWHERE)?.server ?? first;
  const left = servers.get(held);
  if (left === undefined || arrival.at < (left.started ?? 0)) return undefined;
  const isOfItsEnd = OUTAGE.has(arrival.kind) || (left.processState === 'Stopped' && arrival.kind === 'migrate');
  return isOfItsEnd ? (arrival.gap ?? 0) : undefined;
}

/** The kinds of moves by which agents leave a server that has died; from one that stops in good order they migrate as well. */
const OUTAGE: ReadonlySet<string> = new Set(['failover', 'suspect']);

function whyLost(lost: readonly Track[]): string {
  const counts = new Map<string, number>();
  for (const { steps } of lost) {
    const cause = steps.at(-1)?.cause ?? 'lost before';
    counts.set(cause, (counts.get(cause) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, one], [, other]) => other - one).slice(0, 3);
  return sorted.map(([cause, count]) => `${count.toLocaleString('en-US')} ${cause}`).join(', ');
}

function ofSurvival({ servers, capacity }: Situation): Verdict {
  const taking = servers.filter(takesAgents);
  if (taking.length < 2) {
    return {
      level: 'notice',
      sentence: 'Every agent has its link, and only one server takes agents: its loss would leave them nowhere.',
    };
  }
  const stranding = taking.filter(({ stranded }) => (stranded ?? 0) > 0);
  if (stranding.length > 0) {
    const what = stranding.map(
      ({ address, stranded = 0 }) => `the loss of ${address} would leave ${amount(stranded, 'agent')} nowhere`,
    );
    return {
      level: 'notice',
      sentence: `Every agent has its link, but ${what.join(', ')}: no other server of their lists takes agents.`,
    };
  }
  const loads = taking.map(({ survivorLoad }) => survivorLoad).filter(load => load !== undefined);
  if (loads.length === 0) return { level: 'good', sentence: 'Healthy: every agent has its link.' };
  const fullest = Math.max(...loads);
  if (capacity > 0 && fullest > capacity) {
    const sentence = `Every agent has its link, but the loss of one server would give another one ${amount(fullest, 'agent')}, and ${capacity.toLocaleString('en-US')} fit.`;
    return { level: 'notice', sentence };
  }
  return { level: 'good', sentence: 'Healthy: survives the loss of any one server.' };
}

function addressOf({ servers }: Fleet, number: number): string | undefined {
  return servers[number - 1]?.address;
}
