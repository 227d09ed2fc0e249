/** What a server knows of one agent's link, and the store gets only now and then. Moments: milliseconds since 1970. */
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
}

type Packed = [
  hostId: number,
  since: number,
  lastPing: number,
  roundTripMs: number | null,
  failovers: number | null,
  lastLoss: string | null,
  lag: string | null,
];

/** One row for all links of a server: a JSON array of arrays. */
export function packLinkStatus(links: Iterable<LinkStatus>): Uint8Array {
  const rows: Packed[] = [];
  for (const { hostId, since, lastPing, roundTripMs, failovers, lastLoss, lag } of links) {
    rows.push([hostId, since, lastPing, roundTripMs ?? null, failovers ?? null, lastLoss ?? null, lag ?? null]);
  }
  return Buffer.from(JSON.stringify(rows), 'utf8');
}

/** @throws SyntaxError when it is no such row */
export function unpackLinkStatus(packed: Uint8Array): LinkStatus[] {
  const rows = JSON.parse(Buffer.from(packed).toString('utf8')) as Packed[];
  return rows.map(([hostId, since, lastPing, roundTripMs, failovers, lastLoss, lag]) => ({
    hostId,
    since,
    lastPing,
    roundTripMs: roundTripMs ?? undefined,
    failovers: failovers ?? undefined,
    lastLoss: lastLoss ?? undefined,
    lag: lag ?? undefined,
  }));
}
