import { sharedAbortController } from '../../lib/abort.js';
import { AddressError, canonicalAddress, HOST_LIST_MAX } from '../../lib/address.js';
import type { Clock } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import { Semaphore } from '../../lib/semaphore.js';
import { peerText } from '../../lib/text/peer-text.js';
import { LIMITS } from '../../protocol/index.js';
import type { Dialer } from '../dial/dialer.js';
import type { AgentTrust } from '../trust/trust.js';
import { dialHosts, type HostDials } from './dial-hosts.js';
import { diagnose } from './doctor.js';
import type { Finding } from './finding.js';

export interface AgentDoctorParts {
  readonly clock: Clock;
  readonly dialer: Dialer;
  readonly trust: Pick<AgentTrust, 'inspection'>;
  readonly port: number;
  readonly handshakeTimeoutMs: number;
  /** That of agent.properties; undefined: there are no files to look at. */
  readonly folder: string | undefined;
  /** Of the agent's list, and of the last one that worked. */
  hosts(): readonly string[];
}

/** Looks at an agent that runs, for a server that asks. One look at a time; others wait for their turn. */
export class AgentDoctor {
  readonly #parts: AgentDoctorParts;
  readonly #turns = new Semaphore();
  #held = 0;

  constructor(parts: AgentDoctorParts) {
    this.#parts = parts;
  }

  /**
   * @param hosts dials these alone; undefined: looks at the files as well, and dials all hosts of the agent
   * @param limitMs what is not known by then is an error
   * @param signals each of them ends the look
   * @throws the signal's reason; Error: too many wait, or the turn has not come in time
   */
  async look(
    hosts: readonly string[] | undefined,
    limitMs: number,
    signals: readonly AbortSignal[],
  ): Promise<readonly Finding[]> {
    const throwIfAborted = () => {
      for (const signal of signals) signal.throwIfAborted();
    };
    throwIfAborted();
    if (this.#held > LIMITS.doctorsWaiting) throw new Error('too many doctors wait for their turn already');
    const ended = sharedAbortController();
    const why = `no result within ${limitMs / 1_000} s`;
    const timer = this.#parts.clock.after(limitMs, () => ended.abort(new Error(why)));
    const onAbort = ({ target }: Event) => ended.abort(target instanceof AbortSignal ? target.reason : undefined);
    for (const signal of signals) signal.addEventListener('abort', onAbort, { once: true });
    this.#held++;
    try {
      const release = await this.#turns.acquire(ended.signal);
      try {
        const findings = await this.#look(hosts, ended.signal);
        throwIfAborted();
        return findings;
      } finally {
        release();
      }
    } finally {
      this.#held--;
      timer.cancel();
      for (const signal of signals) signal.removeEventListener('abort', onAbort);
    }
  }

  async #look(hosts: readonly string[] | undefined, signal: AbortSignal): Promise<readonly Finding[]> {
    const { folder } = this.#parts;
    const findings: Finding[] = [];
    if (hosts === undefined) {
      const dials = this.#dials(this.#parts.hosts(), signal);
      const found = folder === undefined ? dialHosts(dials) : diagnose(folder, { clock: this.#parts.clock, dials });
      await take(found, findings);
    } else {
      const { addresses, faults } = addressesIn(hosts);
      findings.push(...faults);
      await take(dialHosts(this.#dials(addresses, signal)), findings);
    }
    return findings;
  }

  #dials(hosts: readonly string[], signal: AbortSignal): HostDials {
    const { clock, dialer, trust, port, handshakeTimeoutMs } = this.#parts;
    return { hosts, port, handshakeTimeoutMs, clock, dialer, inspection: trust.inspection(), signal };
  }
}

async function take(from: AsyncIterable<Finding>, findings: Finding[]): Promise<void> {
  for await (const finding of from) findings.push(finding);
}

function addressesIn(hosts: readonly string[]) {
  const addresses = new Set<string>();
  const faults: Finding[] = [];
  for (const host of hosts.slice(0, HOST_LIST_MAX)) {
    try {
      addresses.add(canonicalAddress(host.trim()));
    } catch (error) {
      if (!(error instanceof AddressError)) throw error;
      faults.push({ level: 'error', what: peerText(host), found: reasonOf(error) });
    }
  }
  if (hosts.length > HOST_LIST_MAX) {
    faults.push({ level: 'error', what: `${hosts.length} hosts`, found: `at most ${HOST_LIST_MAX} are dialled` });
  }
  return { addresses: [...addresses], faults };
}
