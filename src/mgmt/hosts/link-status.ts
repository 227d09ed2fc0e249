import type { Interruptible } from '../../lib/interruptible.js';

/** What a server knows of one agent's link, and does not write to the store at each change. Moments: milliseconds since 1970. */
export interface LinkStatus {
  readonly hostId: number;
  /** Since when the link is Ready. */
  readonly since: number;
  readonly lastPing: number;
  /** Of the last request and its answer, milliseconds. */
  readonly roundTripMs: number | undefined;
  /** Links that the agent has lost since its process started; undefined: it does not say. */
  readonly failovers: number | undefined;
  /** Why it lost the last one. */
  readonly lastLoss: string | undefined;
  /** Why the agent has not taken the list that it should have by now. */
  readonly lag: string | undefined;
  /** Why the agent's certificate, whose renewal is due, could not be renewed. */
  readonly renewalFailure: string | undefined;
}

type Packed = [
  hostId: number,
  since: number,
  lastPing: number,
  roundTripMs: number | null,
  failovers: number | null,
  lastLoss: string | null,
  lag: string | null,
  /** Servers of a version that does not renew leave it out. */
  renewalFailure?: string | null,
];

/** Links on a line, which is a few milliseconds' work. */
const LINKS_A_LINE = 500;

/** One row for all links of a server: lines, each of which is a JSON array of arrays. */
export function* packLinkStatus(links: readonly LinkStatus[]): Interruptible<Uint8Array> {
  const lines: string[] = [];
  for (let from = 0; from < links.length; from += LINKS_A_LINE) {
    lines.push(JSON.stringify(links.slice(from, from + LINKS_A_LINE).map(packed)));
    yield;
  }
  return Buffer.from(lines.join('\n'), 'utf8');
}

/** @throws SyntaxError when it is no such row */
export function* unpackLinkStatus(row: Uint8Array): Interruptible<LinkStatus[]> {
  const links: LinkStatus[] = [];
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength);
  for (let from = 0, to = 0; from < bytes.length; from = to + 1) {
    const end = bytes.indexOf('\n', from);
    to = end < 0 ? bytes.length : end;
    for (const one of JSON.parse(bytes.toString('utf8', from, to)) as Packed[]) links.push(unpacked(one));
    yield;
  }
  return links;
}

function packed({
  hostId,
  since,
  lastPing,
  roundTripMs,
  failovers,
  lastLoss,
  lag,
  renewalFailure,
}: LinkStatus): Packed {
  const texts = [lastLoss ?? null, lag ?? null, renewalFailure ?? null] as const;
  return [hostId, since, lastPing, roundTripMs ?? null, failovers ?? null, ...texts];
}

function unpacked([
  hostId,
  since,
  lastPing,
  roundTripMs,
  failovers,
  lastLoss,
  lag,
  renewalFailure,
]: Packed): LinkStatus {
  return {
    hostId,
    since,
    lastPing,
    roundTripMs: roundTripMs ?? undefined,
    failovers: failovers ?? undefined,
    lastLoss: lastLoss ?? undefined,
    lag: lag ?? undefined,
    renewalFailure: renewalFailure ?? undefined,
  };
}
