/** The order in which one agent dials management servers, and the algorithm that it comes from. */
export interface HostList {
  readonly servers: readonly string[];
  /** Undefined where an agent has none yet: its operator wrote the list. */
  readonly algorithm: string | undefined;
}

/** `A,B,C@algorithm`, or `A,B,C`, as agents report it in Startup. Their text is compared, never dialled: nothing is refused. */
export function parseReportedList(text: string | undefined): HostList {
  const [list = '', algorithm] = (text ?? '').split('@');
  const servers = list
    .split(',')
    .map(server => server.trim())
    .filter(server => server !== '');
  return { servers, algorithm: algorithm?.trim() || undefined };
}

/** As agents persist it. */
export function formatHostList({ servers, algorithm }: HostList): string {
  const list = servers.join(',');
  return algorithm === undefined ? list : `${list}@${algorithm}`;
}

/** Whether an agent that reports the one already has the other. */
export function isSameList(reported: HostList, wanted: HostList): boolean {
  // CloudStack: an empty list never matches, not even an empty one.
  if (reported.servers.length === 0 || reported.algorithm !== wanted.algorithm) return false;
  return wanted.algorithm === 'shuffle'
    ? isSameSet(reported.servers, wanted.servers)
    : isSameOrder(reported.servers, wanted.servers);
}

function isSameOrder(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((server, index) => server === other[index]);
}

function isSameSet(one: readonly string[], other: readonly string[]): boolean {
  const members = new Set(one);
  return members.size === new Set(other).size && other.every(server => members.has(server));
}
