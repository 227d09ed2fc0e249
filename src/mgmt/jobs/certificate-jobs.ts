import type { Clock } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { AttacheRegistry } from '../agents/attache-registry.js';
import type { Ca } from '../security/ca.js';
import { rowOf } from '../security/issue-certificate.js';
import type { Store } from '../store/store.js';
import { retryWhileAway } from '../store/store-health.js';
import { attacheOf } from './host-jobs.js';
import type { JobWork } from './job-runner.js';
import type { Provisioner } from './provision.js';

interface CertificateJobParts {
  readonly clock: Clock;
  readonly ca: Ca;
  readonly store: Pick<Store, 'addCertificate' | 'revokeCertificate'>;
  readonly registry: Pick<AttacheRegistry, 'get'>;
  readonly provisioner: Pick<Provisioner, 'provision'>;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
}

/** Jobs about certificates. `provisionCertificate` is for the server that has the host, the others for any. */
export function certificateJobs(parts: CertificateJobParts): Readonly<Record<string, JobWork>> {
  const { clock, ca, store, registry, provisioner } = parts;
  return {
    async provisionCertificate({ hostId, params, events }) {
      const attache = attacheOf(registry, hostId);
      const { name, uuid: hostUuid } = attache.host;
      const type = 'CA.CERTIFICATE.PROVISION';
      try {
        const { serial } = await provisioner.provision(attache);
        const description = `Host ${name} has got a new certificate, serial ${serial}`;
        events.add({ type, level: 'INFO', description, hostUuid });
        // Muster's agents open a link with the new certificate before they close this one.
        if (params.reconnect === true && attache.claimant.instanceId === undefined) {
          attache.end('the agent has a new certificate', 'certificates');
        }
        return { success: true, serial };
      } catch (error) {
        const description = `Host ${name} has got no new certificate: ${reasonOf(error)}`;
        events.add({ type, level: 'ERROR', description, hostUuid });
        throw error;
      }
    },

    async issueCertificate({ params, events }) {
      const request = await ca.readRequest(textOf(params.csr));
      const names = listOf(params.domain);
      const addresses = listOf(params.ipaddress);
      const issued = await ca.issueAddressCertificate(request, {
        ...{ names, addresses },
        name: names[0] ?? addresses[0] ?? '',
        validityDays: Number(params.duration),
      });
      await retryWhileAway(parts, () => store.addCertificate(rowOf(issued, { kind: 'csr', now: clock.wallTime() })));
      const description = `A certificate was issued to ${issued.cn}, serial ${issued.serial}`;
      events.add({ type: 'CA.CERTIFICATE.ISSUE', level: 'INFO', description });
      return { certificate: { certificate: issued.certPem, cacertificates: ca.bundle.pem } };
    },

    async revokeCertificate({ params, createdBy, events }) {
      const [serial, cn] = [textOf(params.serial), textOf(params.cn)];
      const revocation = { serial, cn: cn || null, by: createdBy, at: clock.wallTime() };
      const isNew = await retryWhileAway(parts, () => store.revokeCertificate(revocation));
      if (isNew) {
        const description = `The certificate with serial ${serial}${cn && ` of ${cn}`} was revoked`;
        events.add({ type: 'CA.CERTIFICATE.REVOKE', level: 'INFO', description });
      }
      return { success: true };
    },
  };
}

// Parameters were written by one of our own servers.
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const listOf = (value: unknown): readonly string[] => textOf(value).split(',').filter(Boolean);
