import type { ProxyFaults } from '../../lib/proxy/faulty-proxy.js';
import type { Fault } from './fault.js';

/** A fault that has begun, and has not ended. */
export interface Standing {
  readonly fault: Fault;
  /** Those that it happens to. */
  readonly agents: ReadonlySet<number>;
}

/** What several faults at a time come to, for one agent. */
export function onAgent(
  standing: Iterable<Standing>,
  agent: number,
): { readonly isFrozen: boolean; readonly bytesPerSecond: number | undefined } {
  let isFrozen = false;
  let bytesPerSecond: number | undefined;
  for (const { fault, agents } of standing) {
    if (!agents.has(agent)) continue;
    if (fault.kind === 'freeze') isFrozen = true;
    if (fault.kind === 'slow')
      bytesPerSecond = Math.min(bytesPerSecond ?? Number.POSITIVE_INFINITY, fault.bytesPerSecond);
  }
  return { isFrozen, bytesPerSecond };
}

/** Likewise for the connections to one server. */
export function onServer(standing: Iterable<Standing>, server: string): ProxyFaults {
  let faults: ProxyFaults = {};
  for (const { fault } of standing) {
    if (!('server' in fault) || (fault.server !== undefined && fault.server !== server)) continue;
    if (fault.kind === 'stall') faults = { ...faults, silent: 'both' };
    if (fault.kind === 'delay') faults = { ...faults, delayMs: Math.max(faults.delayMs ?? 0, fault.byMs) };
    if (fault.kind === 'refuse') faults = { ...faults, isRefusing: true };
  }
  return faults;
}
