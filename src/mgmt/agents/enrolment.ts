import { networkOf } from '../../lib/address.js';
import type { Clock } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { Semaphore } from '../../lib/semaphore.js';
import type { Message, Packet } from '../../protocol/index.js';
import type { EventSink } from '../cluster/events.js';
import { Refusals } from '../cluster/refusals.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { Configuration } from '../config/parameters.js';
import type { KnownHosts } from '../hosts/known-hosts.js';
import type { Zones } from '../hosts/zones.js';
import type { Ca, Issued } from '../security/ca.js';
import type { CertificateRequest } from '../security/certificate-request.js';
import { hashOfToken } from '../security/enrollment-token.js';
import { handOverCertificate } from '../security/hand-over.js';
import { type IssueTerms, issueForHost, noteInstalled } from '../security/issue-certificate.js';
import type { EnrollmentRefusal, EnrollmentTokenRow, HostDescription, Store } from '../store/store.js';
import { NetworkAllowance } from './network-allowance.js';
import type { Startup } from './startup.js';

export interface EnrolmentParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventSink;
  readonly ca: Ca;
  readonly store: Pick<Store, 'enrollmentToken' | 'useEnrollmentToken' | 'addCertificate' | 'certificatesInstalled'>;
  readonly zones: Pick<Zones, 'find'>;
  readonly knownHosts: Pick<KnownHosts, 'learn'>;
  configuration(): Configuration;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
}

/** A link whose Startup has a token. */
export interface EnrolmentLink {
  /** The remote address. */
  readonly address: string;
  /** Sends commands in one packet. @returns the packet that answers them */
  ask(commands: readonly Message[]): Promise<Packet>;
}

const REFUSALS: Readonly<Record<EnrollmentRefusal, string>> = {
  unknown: 'there is no such enrolment token',
  removed: 'the enrolment token was deleted',
  expired: 'the enrolment token has expired',
  'other-guid': 'the enrolment token is for another guid',
  spent: 'the enrolment token has been used as often as allowed',
  certified: 'this guid has a certificate in force: it needs a token made for this guid',
};

/** Gives agents their first certificates, for tokens. */
export class Enrolment {
  readonly #parts: EnrolmentParts;
  readonly #wrongTokens = new NetworkAllowance();
  readonly #refusals: Refusals;
  /**
   * Uses of a token wait for each other in the store. Many at once would take all its connections while they wait, and the
   * server would take the store for away.
   */
  readonly #uses = new Semaphore();

  constructor(parts: EnrolmentParts) {
    this.#parts = parts;
    this.#refusals = new Refusals({ ...parts, everyMs: MGMT_LIMITS.refusalEventMs, most: MGMT_LIMITS.refusalEvents });
  }

  /**
   * Has the agent make a key and a request, and gives it the certificate of its host. The token counts as used by this guid
   * with this key: the same two may come again until it expires, so that an interrupted enrolment can be finished.
   * @returns why the token is refused; undefined: the agent has its certificate
   * @throws StoreError, LinkError, CertificateRequestError; Error: the agent has refused
   */
  async enrol(startup: Startup, token: string, link: EnrolmentLink): Promise<string | undefined> {
    const network = networkOf(link.address);
    // Before it is looked at: a thousand at once are a thousand.
    if (!this.#take(network)) return this.#refuse(startup, link, 'too many wrong enrolment tokens from this address');
    const hash = hashOfToken(token);
    const { zones, configuration, store } = this.#parts;
    const names = configuration().values.zones;
    const zone = zones.find(startup.dataCenter, names);
    if (hash === undefined) return this.#refuse(startup, link, REFUSALS.unknown);
    if (zone === undefined) return this.#refuse(startup, link, `there is no zone ${startup.dataCenter} here`);
    const description = startup.description(zone.id);
    const why = objectionTo(await store.enrollmentToken(hash), zone.name, description);
    if (why !== undefined) return this.#refuse(startup, link, why);
    this.#wrongTokens.giveBack(network, 1);
    try {
      await this.#handOver(hash, description, link);
      return undefined;
    } catch (error) {
      if (error instanceof TokenRefusedError) {
        this.#take(network);
        return this.#refuse(startup, link, error.message);
      }
      this.#parts.log.warn('An enrolment was not finished', {
        guid: startup.guid,
        address: link.address,
        reason: reasonOf(error),
      });
      throw error;
    }
  }

  async #handOver(hash: string, description: HostDescription, link: EnrolmentLink): Promise<void> {
    const { ca, events, log, configuration } = this.#parts;
    const validityDays = configuration().values['ca.framework.cert.validity.period'];
    const { bundle } = ca;
    const terms = { validityDays, bundle: bundle.generation };
    let enrolled: Enrolled | undefined;
    const issued = await handOverCertificate({
      ask: commands => link.ask(commands),
      issue: async csr => {
        enrolled = await this.#issue(await ca.readRequest(csr), hash, description, link.address, terms);
        return enrolled.issued;
      },
      bundlePem: bundle.pem,
      validityDays,
    });
    // The agent does not wait for it.
    noteInstalled(this.#parts, issued).catch(error =>
      log.warn('It is not noted that an agent has its certificate', {
        guid: description.guid,
        serial: issued.serial,
        reason: reasonOf(error),
      }),
    );
    if (enrolled === undefined) return;
    const { uuid, name, tokenId } = enrolled;
    const { guid } = description;
    log.info('Agent enrolled', { guid, name, token: tokenId, address: link.address, serial: issued.serial });
    events.add({
      type: 'ENROLLMENT.USE',
      level: 'INFO',
      description: `Host ${name} (guid ${guid}) at ${link.address} has enrolled with token ${tokenId}, serial ${issued.serial}`,
      hostUuid: uuid,
    });
  }

  async #issue(
    request: CertificateRequest,
    hash: string,
    description: HostDescription,
    linkAddress: string,
    terms: IssueTerms,
  ): Promise<Enrolled> {
    const { store, knownHosts, stopping } = this.#parts;
    const { keyFingerprint } = request;
    const use = { hash, keyFingerprint, host: description };
    const outcome = await this.#uses.run(() => store.useEnrollmentToken(use), stopping);
    if (outcome.kind === 'refused') throw new TokenRefusedError(REFUSALS[outcome.reason]);
    const { host, token } = outcome;
    // Its agent comes back at once, perhaps before the next poll.
    knownHosts.learn(host);
    const { id, uuid, guid, name, privateIpAddress } = host;
    const certified = { id, uuid, guid, name, isMuster: true, privateIpAddress, linkAddress };
    const issued = await issueForHost(this.#parts, request, certified, terms);
    return { issued, uuid, name, tokenId: token.uuid };
  }

  #take(network: string): boolean {
    const now = this.#parts.clock.now();
    return this.#wrongTokens.take(network, 1, { now, perHour: MGMT_LIMITS.wrongTokensPerHour });
  }

  #refuse({ guid }: Startup, { address }: EnrolmentLink, why: string): string {
    const description = `The agent at ${address} with guid ${guid} may not enrol: ${why}`;
    this.#refusals.tell({
      key: [networkOf(address), why],
      message: 'An enrolment is refused',
      fields: { guid, address, reason: why },
      event: { type: 'ENROLLMENT.REFUSED', level: 'WARN', description },
    });
    return why;
  }
}

interface Enrolled {
  readonly issued: Issued;
  /** Of the host. */
  readonly uuid: string;
  readonly name: string;
  readonly tokenId: string;
}

/** The token cannot be used by this agent after all. */
class TokenRefusedError extends Error {
  override readonly name = 'TokenRefusedError';
}

/**
 * Why this host cannot use the token; undefined: it can, as far as can be said before its key is known. Pure.
 * @param zone the name of the host's zone
 */
function objectionTo(
  token: EnrollmentTokenRow | undefined,
  zone: string,
  { guid, cluster }: HostDescription,
): string | undefined {
  if (token === undefined) return REFUSALS.unknown;
  if (token.removed !== null) return REFUSALS.removed;
  if (token.isExpired) return REFUSALS.expired;
  if (token.guid !== null && token.guid !== guid) return REFUSALS['other-guid'];
  if (token.zone !== null && token.zone !== zone) return 'the enrolment token is for another zone';
  if (token.cluster !== null && token.cluster !== cluster) return 'the enrolment token is for another cluster';
  return undefined;
}
