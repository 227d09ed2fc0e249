import type { X509Certificate } from 'node:crypto';
import { networkOf } from '../../lib/address.js';
import { includes } from '../../lib/chain.js';
import type { Clock } from '../../lib/clock.js';
import type { Log } from '../../lib/logger.js';
import type { EventSink } from '../cluster/events.js';
import { Refusals } from '../cluster/refusals.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { Configuration } from '../config/parameters.js';
import type { Ca } from '../security/ca.js';
import { judgePeer, judgeServer, type PeerIdentity, type ServerIdentity } from '../security/peer-identity.js';
import type { Revocations } from '../security/revocations.js';

export interface PeerCertificatesParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventSink;
  readonly ca: Pick<Ca, 'signers'>;
  readonly revocations: Pick<Revocations, 'has'>;
  configuration(): Configuration;
}

/** Judges the certificates that agents present, and tells operators of those that are not good. */
export class PeerCertificates {
  readonly #parts: PeerCertificatesParts;
  readonly #refusals: Refusals;

  constructor(parts: PeerCertificatesParts) {
    this.#parts = parts;
    this.#refusals = new Refusals({ ...parts, everyMs: MGMT_LIMITS.refusalEventMs, most: MGMT_LIMITS.refusalEvents });
  }

  /**
   * Judges one link, after its handshake.
   * @param address from which it comes
   * @throws Error: the link may not stay
   */
  judge(certificate: X509Certificate | undefined, address: string): PeerIdentity {
    const { values } = this.#parts.configuration();
    const identity = judgePeer(certificate, address, {
      ...this.#rules(),
      allowsExpired: values['ca.plugin.root.allow.expired.cert'],
      allowsAddresses: values['ca.agent.allow.address.certificates'],
    });
    if (identity.kind !== 'bad') return identity;
    const { why, isRevoked } = identity;
    const isRefused = isRevoked || values['ca.plugin.root.auth.strictness'];
    if (isRefused) this.refused(address, why);
    else this.#parts.log.debug('A certificate is not good', { address, reason: why });
    if (isRefused) throw new Error(why);
    return identity;
  }

  /** Judges another server that was dialled. @throws Error: the link may not stay */
  judgeServer(certificate: X509Certificate | undefined): ServerIdentity {
    const identity = judgeServer(certificate, this.#rules());
    if (identity.kind === 'bad') throw new Error(identity.why);
    return identity;
  }

  /** Why a link that was judged may no longer stay; undefined: it may. */
  objectionTo(identity: PeerIdentity): string | undefined {
    if (identity.kind === 'none' || identity.kind === 'bad') return undefined;
    const { ca, revocations, configuration } = this.#parts;
    if (revocations.has(identity.serial)) return 'its certificate was revoked';
    if (includes(ca.signers, identity.issuer)) return undefined;
    const isNeeded = identity.kind === 'server' || configuration().values['ca.plugin.root.auth.strictness'];
    return isNeeded ? 'the CA of its certificate was dropped' : undefined;
  }

  #rules() {
    const { ca, clock, revocations } = this.#parts;
    return {
      issuers: ca.signers,
      isRevoked: (serial: string) => revocations.has(serial),
      now: clock.wallTime(),
    };
  }

  /** Tells operators of a link that was refused for its certificate. @param hostUuid whom it concerns */
  refused(address: string, why: string, hostUuid?: string): void {
    this.#refusals.tell({
      key: [networkOf(address), why],
      message: 'A link is refused for its certificate',
      fields: { address, reason: why },
      event: {
        type: 'AGENT.CERTIFICATE.REFUSED',
        level: 'WARN',
        description: `The link from ${address} is refused: ${why}`,
        ...(hostUuid !== undefined && { hostUuid }),
      },
    });
  }
}
