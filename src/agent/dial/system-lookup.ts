import { lookup as getAddresses, type LookupAddress } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { Clock } from '../../lib/clock.js';
import { codeOf } from '../../lib/errors.js';
import { LIMITS } from '../../protocol/index.js';

const HOSTS_FILE = '/etc/hosts';

/**
 * Looks names up as the system does, in a way that a name server which does not answer cannot hold up anything else:
 * first in /etc/hosts, then by DNS queries of our own, which need no thread and can be cancelled. `getaddrinfo` runs in
 * libuv's pool, where two hanging calls hold up all others, and even the end of the process. So it is asked only when
 * the name servers have answered that there is no such name: it also knows search domains and other sources.
 */
export function systemLookup(clock: Clock): (name: string) => Promise<readonly string[]> {
  return async name => {
    const listed = addressesIn(await readFile(HOSTS_FILE, 'utf8').catch(() => ''), name);
    if (listed.length > 0) return listed;
    const found = await queryNameServers(name, clock);
    return found.length > 0 ? found : byGetaddrinfo(name);
  };
}

/** The addresses of a name in a hosts file. */
export function addressesIn(hosts: string, name: string): readonly string[] {
  const found = new Set<string>();
  for (const line of hosts.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (isIP(address) && names.some(listed => listed.toLowerCase() === name.toLowerCase())) found.add(address);
  }
  return [...found];
}

/** @returns empty when there is no such name @throws when the servers do not say so in time */
async function queryNameServers(name: string, clock: Clock): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: LIMITS.lookupMs / 2, tries: 2 });
  const timer = clock.after(LIMITS.lookupMs, () => resolver.cancel());
  const results = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  timer.cancel();
  const found = results.flatMap(result => (result.status === 'fulfilled' ? result.value : []));
  if (found.length > 0) return found;
  for (const result of results) {
    if (result.status === 'rejected' && !isNegative(result.reason)) throw result.reason;
  }
  return [];
}

function isNegative(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOTFOUND' || code === 'ENODATA';
}

function byGetaddrinfo(name: string): Promise<readonly string[]> {
  return new Promise((resolve, reject) =>
    getAddresses(name, { all: true }, (error, found: LookupAddress[]) =>
      error ? reject(error) : resolve(found.map(({ address }) => address)),
    ),
  );
}
