import type { Clock } from '../../lib/clock.js';
import type { Attache } from '../agents/attache.js';
import type { Configuration } from '../config/parameters.js';
import type { Ca, Issued } from '../security/ca.js';
import { handOverCertificate } from '../security/hand-over.js';
import { issueForHost, noteInstalled } from '../security/issue-certificate.js';
import type { Store } from '../store/store.js';

export interface ProvisionerParts {
  readonly clock: Clock;
  readonly ca: Ca;
  readonly store: Pick<Store, 'host' | 'addCertificate' | 'certificatesInstalled'>;
  configuration(): Configuration;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
}

/** Gives connected agents new certificates: one at a time to each. */
export class Provisioner {
  readonly #parts: ProvisionerParts;
  readonly #underWay = new Set<number>();

  constructor(parts: ProvisionerParts) {
    this.#parts = parts;
  }

  /**
   * A Muster agent takes the certificate into use by a link of its own accord; CloudStack's restarts its connection.
   * @throws Error: another certificate is on its way to this agent; what `handOverCertificate` throws
   */
  async provision(attache: Attache): Promise<Issued> {
    const { id } = attache.host;
    if (this.#underWay.has(id)) throw new Error('another certificate is on its way to this agent');
    this.#underWay.add(id);
    try {
      return await this.#provision(attache);
    } finally {
      this.#underWay.delete(id);
    }
  }

  async #provision(attache: Attache): Promise<Issued> {
    const { ca, store, configuration } = this.#parts;
    // A CA that is introduced meanwhile is for the next certificate.
    const { bundle } = ca;
    const { id, uuid, name } = attache.host;
    const validityDays = configuration().values['ca.framework.cert.validity.period'];
    const row = await store.host(id);
    const host = {
      ...{ id, uuid, name, guid: attache.guid },
      isMuster: attache.claimant.instanceId !== undefined,
      privateIpAddress: row?.privateIpAddress ?? null,
      linkAddress: attache.link.remote.address,
    };
    const issued = await handOverCertificate({
      ask: commands => attache.ask(commands),
      issue: async csr =>
        issueForHost(this.#parts, await ca.readRequest(csr), host, { validityDays, bundle: bundle.generation }),
      bundlePem: bundle.pem,
      validityDays,
    });
    await noteInstalled(this.#parts, issued);
    return issued;
  }
}
