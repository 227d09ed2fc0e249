import { type Clock, delay, type Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import { mapInSteps, runInTurns } from '../../lib/interruptible.js';
import type { Log } from '../../lib/logger.js';
import { Semaphore } from '../../lib/semaphore.js';
import type { Attache } from '../agents/attache.js';
import type { AttacheRegistry } from '../agents/attache-registry.js';
import type { EventSink } from '../cluster/events.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { Configuration } from '../config/parameters.js';
import type { Ca } from '../security/ca.js';
import { judgeRenewal } from '../security/renewal.js';
import { type HostCertificateRow, ROWS_A_PAGE, type Store } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';
import type { Provisioner } from './provision.js';

export interface CertificateRenewalParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly health: StoreHealth;
  readonly events: EventSink;
  readonly registry: AttacheRegistry;
  readonly provisioner: Pick<Provisioner, 'provision'>;
  readonly ca: Pick<Ca, 'bundle' | 'fingerprint' | 'isCurrent' | 'signers' | 'onChange'>;
  /** What is to be done about the CAs, once agents have been looked at. @throws StoreError */
  advance(): Promise<void>;
  readonly store: Pick<Store, 'hostCertificates' | 'deleteCertificatesBefore' | 'deleteEnrollmentTokensBefore'>;
  configuration(): Configuration;
}

/** A host whose agent gets a new certificate, and until when it has one; undefined: it has none. */
interface Renewed {
  readonly hostId: number;
  readonly notAfter: number | undefined;
}

/** A certificate that ends soon, though it should have been renewed, or is not renewed. */
export interface EndingCertificate {
  readonly hostName: string;
  readonly notAfter: number;
}

const DAY_MS = 86_400_000;
/** Within this part of the alert period a certificate that is renewed by itself has had its chances. */
const LATE_SHARE = 0.5;
/** Rows of certificates that ended, and of tokens that expired, are kept so long. */
const KEPT_MS = 365 * DAY_MS;

/**
 * Renews the certificates of the agents that are connected to this server: before they end, and when CAs have come or gone.
 * Each pass compares what the store says with the time; a renewal that failed is tried again in the next one, by whichever
 * server has the host then.
 */
export class CertificateRenewal {
  readonly #parts: CertificateRenewalParts;
  readonly #stopping = new AbortController();
  readonly #turns = new Semaphore(MGMT_LIMITS.renewalsAtOnce);
  /** Serials of certificates that operators were told of: they end soon, and are not renewed. */
  #told: ReadonlySet<string> = new Set();
  #ending: readonly EndingCertificate[] | undefined;
  #timer: Timer | undefined;
  #passedAt = 0;
  /** The CAs have changed since the last pass began. */
  #isAsked = false;

  constructor(parts: CertificateRenewalParts) {
    this.#parts = parts;
  }

  /** Of the agents of this server, as of the last pass; undefined before the first one. */
  get ending(): readonly EndingCertificate[] | undefined {
    return this.#ending;
  }

  start(): void {
    this.#passedAt = this.#parts.clock.now();
    this.#parts.ca.onChange(() => {
      this.#isAsked = true;
    });
    this.#lookLater();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#stopping.abort();
  }

  /** Often, since the delay between two passes may change meanwhile. */
  #lookLater(): void {
    if (this.#stopping.signal.aborted) return;
    const { clock, configuration } = this.#parts;
    this.#timer = clock.after(MGMT_LIMITS.renewalLookMs, async () => {
      const configuredMs = configuration().values['ca.framework.background.task.delay'] * 1_000;
      const delayMs = this.#isChangingCa ? Math.min(configuredMs, MGMT_LIMITS.rotationPassMs) : configuredMs;
      if (this.#isAsked || clock.now() - this.#passedAt >= delayMs) await this.pass();
      this.#lookLater();
    });
  }

  /** One CA is taking the place of another. */
  get #isChangingCa(): boolean {
    return this.#parts.ca.signers.length > 1;
  }

  /** Renews what is due now. Never rejects. */
  async pass(): Promise<void> {
    const { clock, health, log } = this.#parts;
    this.#passedAt = clock.now();
    this.#isAsked = false;
    try {
      const found = await health.watch(() => this.#certificates());
      await this.#judge(found);
      await health.watch(() => this.#parts.advance());
      await health.watch(() => this.#sweep());
    } catch (error) {
      log.debug('Certificates could not be looked at', { reason: reasonOf(error) });
    }
  }

  async #certificates(): Promise<readonly HostCertificateRow[]> {
    const { registry, store } = this.#parts;
    const ids = [...registry].map(({ host }) => host.id);
    const found: HostCertificateRow[] = [];
    for (let from = 0; from < ids.length; from += ROWS_A_PAGE) {
      found.push(...(await store.hostCertificates(ids.slice(from, from + ROWS_A_PAGE))));
    }
    return found;
  }

  async #judge(certificates: readonly HostCertificateRow[]): Promise<void> {
    const { clock, ca, configuration } = this.#parts;
    const { values } = configuration();
    const alertMs = values['ca.framework.cert.expiry.alert.period'] * DAY_MS;
    const now = clock.wallTime();
    const isRenewed = values['ca.framework.cert.automatic.renewal'];
    const lateMs = alertMs * (isRenewed ? LATE_SHARE : 1);
    this.#ending = certificates.flatMap(({ hostId, notAfter, revoked }) => {
      const hostName = this.#parts.registry.get(hostId)?.host.name;
      const isLate = revoked === null && now >= notAfter - lateMs;
      return isLate && hostName !== undefined ? [{ hostName, notAfter }] : [];
    });
    if (isRenewed) this.#told = new Set();
    else this.#tell(certificates.filter(({ notAfter, revoked }) => revoked === null && now >= notAfter - alertMs));
    const judged = mapInSteps(certificates, certificate => {
      return { certificate, verdict: judgeRenewal(certificate, { alertMs, ca }, now) };
    });
    const due = (await runInTurns(judged, clock))
      .flatMap(({ certificate, verdict }) =>
        verdict.kind === 'due' && (isRenewed || verdict.why === 'ca') ? [{ certificate, at: verdict.due }] : [],
      )
      .sort((one, other) => one.at - other.at)
      .map(({ certificate }) => certificate);
    const renewals: Promise<void>[] = [];
    for (const one of [...due, ...this.#pinning(certificates)]) {
      const release = await this.#turns.acquire();
      if (this.#stopping.signal.aborted) return;
      renewals.push(this.#renew(one).finally(release));
      await delay(clock, MGMT_LIMITS.renewalGapMs, this.#stopping.signal);
    }
    await Promise.all(renewals);
  }

  /**
   * Muster's agents that have no certificate, or have not confirmed one, trust the CA that they know: they have to hear of
   * another one as well.
   */
  #pinning(certificates: readonly HostCertificateRow[]): readonly Renewed[] {
    if (!this.#isChangingCa) return [];
    const known = new Set(certificates.map(({ hostId }) => hostId));
    return [...this.#parts.registry]
      .filter(({ host, claimant }) => claimant.instanceId !== undefined && !known.has(host.id))
      .map(({ host }) => ({ hostId: host.id, notAfter: undefined }));
  }

  /** Never rejects. */
  async #renew({ hostId, notAfter }: Renewed): Promise<void> {
    const { registry, provisioner, events, log, clock } = this.#parts;
    const attache = registry.get(hostId);
    // The server that it has gone to looks for itself.
    if (attache === undefined) return;
    const { name, uuid: hostUuid } = attache.host;
    const type = 'CA.CERTIFICATE.PROVISION';
    try {
      const { serial } = await provisioner.provision(attache);
      this.#note(attache, undefined);
      log.info('The certificate of an agent was renewed', { name, hostId, serial });
      events.add({ type, level: 'INFO', description: `The certificate of host ${name} was renewed`, hostUuid });
    } catch (error) {
      const reason = reasonOf(error);
      const isFirst = attache.renewalFailure === undefined;
      this.#note(attache, reason);
      log.warn('The certificate of an agent could not be renewed; it is tried again', { name, hostId, reason });
      if (!isFirst) return;
      const level = notAfter !== undefined && clock.wallTime() > notAfter ? 'ERROR' : 'WARN';
      const description = `The certificate of host ${name} could not be renewed; it is tried again: ${reason}`;
      events.add({ type, level, description, hostUuid });
    }
  }

  #note({ host: { id } }: Attache, failure: string | undefined): void {
    // The agent may be on a newer link by now.
    const attache = this.#parts.registry.get(id);
    if (attache !== undefined) attache.renewalFailure = failure;
  }

  #tell(ending: readonly HostCertificateRow[]): void {
    const { registry, events } = this.#parts;
    for (const { hostId, serial, notAfter } of ending) {
      const host = registry.get(hostId)?.host;
      if (host === undefined || this.#told.has(serial)) continue;
      const date = new Date(notAfter).toISOString().slice(0, 10);
      const description = `The certificate of host ${host.name} ends on ${date}, and ca.framework.cert.automatic.renewal is false`;
      events.add({ type: 'CA.CERTIFICATE.EXPIRY', level: 'WARN', description, hostUuid: host.uuid });
    }
    this.#told = new Set(ending.map(({ serial }) => serial));
  }

  async #sweep(): Promise<void> {
    const { clock, store } = this.#parts;
    const before = clock.wallTime() - KEPT_MS;
    // A batch a call; others get their turn between two of them.
    while ((await store.deleteCertificatesBefore(before)) > 0) await clock.turn();
    while ((await store.deleteEnrollmentTokensBefore(before)) > 0) await clock.turn();
  }
}
