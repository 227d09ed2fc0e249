import { createHash } from 'node:crypto';
import type { AlertKind } from '../../api/words.js';
import type { ObservedServer } from '../cluster/observed-servers.js';

/** Something that is wrong now. */
export interface Condition {
  /** Its kind, and behind colons what tells it from others of the kind. One of a single server has its msid first. */
  readonly subject: string;
  readonly description: string;
}

/** What a server sees. */
export interface Facts {
  readonly ownMsid: number;
  /** As of the last heartbeat. */
  readonly servers: readonly ObservedServer[];
  /** The names of hosts that have been Up, and that no server has, by id. */
  readonly nowhere: ReadonlyMap<number, string>;
  /** Certificates of this server's agents that end soon; undefined: nobody has looked yet. */
  readonly ending: readonly { readonly hostName: string; readonly notAfter: number }[] | undefined;
  /** Fights about guids that this server has seen lately, by their descriptions. */
  readonly fights: readonly string[];
}

export interface AlertPeriods {
  /** An agent may have no server for so long. */
  readonly nowhereMs: number;
  /** A server may prepare for maintenance for so long. */
  readonly drainMs: number;
}

/** Since when what lasts has lasted, by the clock of this process. */
export interface Watched {
  /** Since when this server has watched. */
  readonly since: number;
  /** By the host's id. */
  readonly nowhere: ReadonlyMap<number, number>;
  /** By the msid and the state. */
  readonly draining: ReadonlyMap<string, number>;
}

export const NOTHING_WATCHED = (now: number): Watched => ({ since: now, nowhere: new Map(), draining: new Map() });

/** Pure: what has lasted keeps its beginning, and what is new begins now. */
export function watch(before: Watched, { nowhere, servers }: Facts, now: number): Watched {
  return {
    since: before.since,
    nowhere: new Map([...nowhere.keys()].map(id => [id, before.nowhere.get(id) ?? now])),
    draining: new Map(
      servers.filter(isPreparing).map(server => [drainKey(server), before.draining.get(drainKey(server)) ?? now]),
    ),
  };
}

/** Which alerts are to be there, and about which of those that are there this server can judge. */
export interface Judgement {
  readonly holding: readonly Condition[];
  isJudged(subject: string): boolean;
}

/** Names in a description. */
const NAMED = 5;
/** Kinds that each server judges for itself; the others are judged by one server for the cluster. */
const OWN_KINDS: ReadonlySet<string> = new Set<AlertKind>(['certificates-expiring', 'guid-fight']);

/**
 * Pure: what this server holds to be wrong. One server judges for the cluster: the living one with the smallest id. Of two that
 * both take themselves for it, for a moment, the store lets one raise an alert.
 */
export function judge(facts: Facts, watched: Watched, periods: AlertPeriods, now: number): Judgement {
  const isFirst = firstOf(facts.servers) === facts.ownMsid;
  const living = new Set(facts.servers.filter(({ isDead }) => !isDead).map(({ msid }) => `${msid}`));
  return {
    holding: [...ownConditions(facts), ...(isFirst ? clusterConditions(facts, watched, periods, now) : [])],
    isJudged(subject) {
      const [kind = '', msid = ''] = subject.split(':');
      if (OWN_KINDS.has(kind)) {
        if (msid !== `${facts.ownMsid}`) return isFirst && !living.has(msid);
        return kind !== 'certificates-expiring' || facts.ending !== undefined;
      }
      // Whoever has just begun to watch does not know how long things have lasted.
      const hasWatched = now - watched.since;
      if (kind === 'agents-nowhere') return isFirst && hasWatched > periods.nowhereMs;
      if (kind === 'drain-stuck') return isFirst && hasWatched > periods.drainMs;
      return isFirst;
    },
  };
}

/** The server that judges for the cluster. */
function firstOf(servers: readonly ObservedServer[]): number | undefined {
  const living = servers.filter(({ isDead, isSilent, joined }) => !isDead && !isSilent && joined);
  return living.length === 0 ? undefined : Math.min(...living.map(({ msid }) => msid));
}

function ownConditions({ ownMsid, ending = [], fights, servers }: Facts): readonly Condition[] {
  const address = servers.find(({ msid }) => msid === ownMsid)?.serviceIp ?? `${ownMsid}`;
  const fighting = fights.map(description => ({
    subject: `guid-fight:${ownMsid}:${digestOf(description)}`,
    description,
  }));
  if (ending.length === 0) return fighting;
  const first = new Date(Math.min(...ending.map(({ notAfter }) => notAfter))).toISOString().slice(0, 10);
  const names = named(ending.map(({ hostName }) => hostName));
  const description = `Certificates of agents of ${address} end soon, the first on ${first}: ${names}`;
  return [...fighting, { subject: `certificates-expiring:${ownMsid}`, description }];
}

function clusterConditions(
  { servers, nowhere }: Facts,
  watched: Watched,
  { nowhereMs, drainMs }: AlertPeriods,
  now: number,
): readonly Condition[] {
  const lasting = [...watched.nowhere]
    .filter(([, since]) => now - since >= nowhereMs)
    .map(([id]) => nowhere.get(id) ?? '');
  return [
    // One that was stopped in good order has no run any more.
    ...servers
      .filter(({ runId, state, isSilent, isDead }) => runId !== null && (isDead || isSilent || state === 'Down'))
      .map(({ msid, serviceIp }) => ({
        subject: `server-down:${msid}`,
        description: `Management server ${serviceIp} does not give signs of life`,
      })),
    ...servers
      .filter(server => now - (watched.draining.get(drainKey(server)) ?? now) >= drainMs)
      .map(({ msid, serviceIp, state }) => ({
        subject: `drain-stuck:${msid}`,
        description: `Management server ${serviceIp} is ${state} for longer than ${minutes(drainMs)}`,
      })),
    ...(lasting.length === 0
      ? []
      : [
          {
            subject: 'agents-nowhere',
            description: `Agents have no management server for ${minutes(nowhereMs)} or longer: ${named(lasting)}`,
          },
        ]),
  ];
}

const isPreparing = ({ state }: ObservedServer) => state.startsWith('Preparing');
const drainKey = ({ msid, state }: ObservedServer) => `${msid} ${state}`;
const digestOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);
const minutes = (ms: number) => `${Math.round(ms / 60_000)} min`;

function named(names: readonly string[]): string {
  const more = names.length > NAMED ? `, and ${names.length - NAMED} more` : '';
  return `${names.slice(0, NAMED).join(', ')}${more}`;
}

/** Pure: from what is open to what should be. An alert that stays keeps its first description. */
export function changesOf(
  open: readonly string[],
  { holding, isJudged }: Judgement,
): { readonly raise: readonly Condition[]; readonly clear: readonly string[] } {
  const held = new Set(holding.map(({ subject }) => subject));
  const standing = new Set(open);
  return {
    raise: holding.filter(({ subject }) => !standing.has(subject)),
    clear: open.filter(subject => !held.has(subject) && isJudged(subject)),
  };
}
