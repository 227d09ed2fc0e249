import { peerTextIn } from '../../lib/text/peer-text.js';
import type { Message } from '../../protocol/index.js';
import { Refusals, type RefusalsParts } from '../cluster/refusals.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { KnownHosts } from '../hosts/known-hosts.js';

export interface ResourceFailuresParts extends Omit<RefusalsParts, 'everyMs' | 'most'> {
  readonly knownHosts: Pick<KnownHosts, 'byId'>;
}

/** Tells operators of resources that have failed: once for each way in which that of a host does. */
export class ResourceFailures {
  readonly #knownHosts: Pick<KnownHosts, 'byId'>;
  readonly #told: Refusals;

  constructor({ knownHosts, ...parts }: ResourceFailuresParts) {
    this.#knownHosts = knownHosts;
    this.#told = new Refusals({ ...parts, everyMs: MGMT_LIMITS.resourceEventMs, most: MGMT_LIMITS.resourceEvents });
  }

  /** @param answer what the agent has answered in the place of its resource */
  tell(hostId: number, { fields }: Message): void {
    const host = this.#knownHosts.byId(hostId);
    if (host === undefined) return;
    const why = peerTextIn(fields.details) ?? 'it does not say why';
    this.#told.tell({
      key: [host.uuid, why],
      message: 'The resource of an agent has failed to carry out a command',
      fields: { host: host.name, reason: why },
      event: {
        type: 'AGENT.RESOURCE.FAILED',
        level: 'WARN',
        description: `The resource of host ${host.name} has failed: ${why}`,
        hostUuid: host.uuid,
      },
    });
  }
}
