import { isSameSet } from '../lib/same-set.js';

/** The management servers that one agent may dial, in its own order, and the algorithm that made the order. */
export interface HostList {
  /** Addresses without ports; the first is the preferred host. The list that an agent dials from is never empty. */
  readonly hosts: readonly string[];
  /** The server's name for the order. Undefined until a server has sent a list: the operator wrote this one. */
  readonly algorithm: string | undefined;
}

/**
 * Writes a list as `A,B,C@algorithm`, or as `A,B,C` without an algorithm: the form of `host` in agent.properties and of
 * `msHostList` in Startup.
 * @example
 * formatHostList({ hosts: ['192.0.2.1', '192.0.2.2'], algorithm: 'static' }); // '192.0.2.1,192.0.2.2@static'
 */
export function formatHostList({ hosts, algorithm }: HostList): string {
  const list = hosts.join(',');
  return algorithm === undefined ? list : `${list}@${algorithm}`;
}

/**
 * Splits the form of `formatHostList` at its first `@`: no address has one. An algorithm that is written twice, as in
 * `A,B@static@static`, counts once. The hosts are not checked.
 * @example
 * splitHostList('192.0.2.1,192.0.2.2@static'); // { hosts: '192.0.2.1,192.0.2.2', algorithm: 'static' }
 */
export function splitHostList(text: string): { hosts: string; algorithm: string | undefined } {
  const [hosts = '', ...algorithms] = text.split('@');
  return { hosts, algorithm: algorithms.map(name => name.trim()).findLast(name => name !== '') };
}

/**
 * Reads the list that an agent reports in Startup. It is compared and never dialled, so no text is refused.
 * @example
 * parseReportedList('192.0.2.1, 192.0.2.2'); // { hosts: ['192.0.2.1', '192.0.2.2'], algorithm: undefined }
 */
export function parseReportedList(text: string | undefined): HostList {
  const { hosts, algorithm } = splitHostList(text ?? '');
  const entries = hosts.split(',').map(host => host.trim());
  return { hosts: entries.filter(host => host !== ''), algorithm };
}

/**
 * Whether an agent that reports the one list has the other already. The order counts, except with `shuffle`.
 * An empty list never matches, not even another empty one, as in CloudStack.
 * @example
 * isSameList(parseReportedList('b,a@shuffle'), { hosts: ['a', 'b'], algorithm: 'shuffle' }); // true
 */
export function isSameList(reported: HostList, wanted: HostList): boolean {
  if (reported.hosts.length === 0 || reported.algorithm !== wanted.algorithm) return false;
  // A set may be reported at any length, by saying an address often.
  if (reported.hosts.length !== wanted.hosts.length) return false;
  return wanted.algorithm === 'shuffle'
    ? isSameSet(reported.hosts, wanted.hosts)
    : reported.hosts.every((host, index) => host === wanted.hosts[index]);
}
