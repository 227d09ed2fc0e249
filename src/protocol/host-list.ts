import { isSameSet } from '../lib/same-set.js';

/** The management servers that one agent may dial, in its own order, and the algorithm that made the order. */
export interface HostList {
  /** Addresses without ports; the first is the preferred host. The list that an agent dials from is never empty. */
  readonly hosts: readonly string[];
  /** The server's name for the order. Undefined until a server has sent a list: the operator wrote this one. */
  readonly algorithm: string | undefined;
}

/** `A,B,C@algorithm`, or `A,B,C`: as `host` in agent.properties and `msHostList` in Startup have it. */
export function formatHostList({ hosts, algorithm }: HostList): string {
  const list = hosts.join(',');
  return algorithm === undefined ? list : `${list}@${algorithm}`;
}

/** The two parts of such a text, split at its last `@`. It does not check the hosts. */
export function splitHostList(text: string): { hosts: string; algorithm: string | undefined } {
  const at = text.lastIndexOf('@');
  if (at < 0) return { hosts: text, algorithm: undefined };
  const algorithm = text.slice(at + 1).trim();
  return { hosts: text.slice(0, at), algorithm: algorithm === '' ? undefined : algorithm };
}

/** The list that an agent reports in Startup. It is compared and never dialled, so no text is refused. */
export function parseReportedList(text: string | undefined): HostList {
  const { hosts, algorithm } = splitHostList(text ?? '');
  const entries = hosts.split(',').map(host => host.trim());
  return { hosts: entries.filter(host => host !== ''), algorithm };
}

/**
 * Whether an agent that reports the one list has the other already. The order counts, except with `shuffle`.
 * An empty list never matches, not even another empty one, as in CloudStack.
 */
export function isSameList(reported: HostList, wanted: HostList): boolean {
  if (reported.hosts.length === 0 || reported.algorithm !== wanted.algorithm) return false;
  return wanted.algorithm === 'shuffle'
    ? isSameSet(reported.hosts, wanted.hosts)
    : isSameOrder(reported.hosts, wanted.hosts);
}

function isSameOrder(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((host, index) => host === other[index]);
}
