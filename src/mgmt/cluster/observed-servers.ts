import type { ServerRow } from '../store/store.js';

/** So many heartbeat intervals without a change of the counter, and a server is silent. */
const SILENT_INTERVALS = 5;
/** The longest time between two readings that counts as silence, in heartbeat intervals. */
const COUNTED_INTERVALS = 2;

/** A server's row, and how it looks from here. */
export interface ObservedServer extends ServerRow {
  /** For how long its heartbeat counter was seen unchanged, by this server's own monotonic clock. 0 for this server. */
  readonly silentMs: number;
  /** Its counter was seen to change: the row of a server that was killed says for long that it serves. Always for this server. */
  readonly isHeard: boolean;
  /** Its counter has not changed for 5 intervals. */
  readonly isSilent: boolean;
  /** It was stopped, is Down, or has been silent for `cluster.heartbeat.threshold`: it has no agents, and carries out no jobs. */
  readonly isDead: boolean;
}

export interface ObservationInput {
  readonly rows: readonly ServerRow[];
  /** This server, which never finds itself silent. */
  readonly ownMsid: number;
  /** Since the reading before; undefined for the first one. */
  readonly elapsedMs: number | undefined;
  /** `cluster.heartbeat.interval` and `cluster.heartbeat.threshold`, milliseconds. */
  readonly intervalMs: number;
  readonly thresholdMs: number;
}

/**
 * Pure: what a successful reading of all rows tells. Silence is measured by the observer's own clock, and only while its
 * readings succeed: of the time between two readings at most two intervals count. So no server is silent because the store
 * was away, because this process stood still, or because a clock was set.
 */
export function observeServers(
  before: readonly ObservedServer[],
  { rows, ownMsid, elapsedMs, intervalMs, thresholdMs }: ObservationInput,
): readonly ObservedServer[] {
  const known = new Map(before.map(server => [server.msid, server]));
  const counted = elapsedMs === undefined ? 0 : Math.min(elapsedMs, COUNTED_INTERVALS * intervalMs);
  return rows.map(row => {
    const former = known.get(row.msid);
    const isUnchanged = former !== undefined && former.beat === row.beat && former.runId === row.runId;
    const silentMs = isUnchanged && row.msid !== ownMsid ? former.silentMs + counted : 0;
    const isStopped = row.runId === null || row.state === 'Down';
    return {
      ...row,
      silentMs,
      isHeard: row.msid === ownMsid || (former !== undefined && (!isUnchanged || former.isHeard)),
      isSilent: silentMs >= SILENT_INTERVALS * intervalMs,
      isDead: isStopped || silentMs >= thresholdMs,
    };
  });
}

/** The one predicate: state Up, it has joined, its agents' port is bound, it was heard, and it is not silent. */
export function canTakeAgents({ state, runId, joined, isHeard, isSilent }: ObservedServer): boolean {
  return state === 'Up' && runId !== null && joined && isHeard && !isSilent;
}

/** The servers other than `msid` that can take agents. */
export function othersThatTakeAgents(servers: readonly ObservedServer[], msid: number): readonly ObservedServer[] {
  return servers.filter(server => server.msid !== msid && canTakeAgents(server));
}

/**
 * The avoid list, spelled as in `host`: addresses of servers in maintenance or on their way out, unless a living server
 * that is Up has the same address. One that is merely Down is not avoided: it may be back at any moment.
 */
export function avoidedAddresses(servers: readonly ObservedServer[]): readonly string[] {
  const up = new Set(
    servers.filter(({ state, isDead }) => state === 'Up' && !isDead).map(({ serviceIp }) => serviceIp),
  );
  const avoided = servers.filter(({ state }) => state !== 'Up' && state !== 'Down').map(({ serviceIp }) => serviceIp);
  return [...new Set(avoided)].filter(address => !up.has(address));
}
