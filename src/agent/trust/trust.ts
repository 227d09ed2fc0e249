import { createHash, createPrivateKey, type X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { SecureContext, TLSSocket } from 'node:tls';
import { objectionToDates } from '../../lib/chain.js';
import type { Clock } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import { writeFileAtomic } from '../../lib/files/atomic-file.js';
import { type Disk, systemDisk } from '../../lib/files/disk.js';
import { reachableAddresses } from '../../lib/interfaces.js';
import type { Log } from '../../lib/logger.js';
import { certificatesIn, pemOf } from '../../lib/pem.js';
import { subjectOf } from '../../protocol/certificate-names.js';
import { secureContext } from '../../protocol/index.js';
import { makeKey, makeRequest } from './certificate-request.js';
import { isCaOfToken } from './enrolment.js';
import { type FileStep, type Folder, perform, readFolder } from './folder.js';
import { type Inspection, inspectionOf } from './inspection.js';
import {
  type CertificateOffer,
  confirmation,
  installation,
  isUnconfirmed,
  keyForRequest,
  recovery,
  requestSteps,
  takingBack,
} from './install.js';
import {
  bundleIn,
  certificateToPin,
  issuerChainOf,
  objectionTo,
  objectionToFirstContact,
  presentedBy,
  TrustError,
} from './judge.js';
import { IN_USE, type OwnCertificate, ownCertificateOf, pemOfKey } from './own-certificate.js';
import type { Refusal } from './refusal.js';

/** What an agent's trust is made of. */
export interface TrustParts {
  /** The folder of `cloud.crt`, `cloud.key` and `cloud.ca.crt`: that of agent.properties. */
  readonly folder: string;
  /** Time and turns of the event loop: `systemClock`, or a clock of a test. */
  readonly clock: Clock;
  /** Where log lines go. */
  readonly log: Log;
  /** The setting `enrollment.token`. */
  readonly token?: string | undefined;
  /** Whose CA counts while the folder has none: many agents in one process pin it once. */
  readonly shared?: Trust | undefined;
  /** Where the folder is. @default systemDisk */
  readonly disk?: Disk | undefined;
}

/** What one dial presents, and how it judges the server. */
export interface Credentials {
  /** Equal for equal certificates. */
  readonly id: string;
  /** Certificate, key and CA for the handshake. */
  readonly context: SecureContext;
  /** A certificate is presented when the server asks for one. */
  readonly hasCertificate: boolean;
  /** What Startup carries. Only a server that `judge` accepts may see it. */
  readonly token: string | undefined;
  /** Decides about a server, after the handshake and before the first packet. @throws TrustError */
  judge(peer: TLSSocket): void;
}

/** What an agent needs of its certificates. */
export type AgentTrust = Pick<
  Trust,
  'id' | 'load' | 'credentials' | 'inspection' | 'setUpKeyStore' | 'setUpCertificate' | 'accepted' | 'refused'
>;

/**
 * The certificates of an agent: whom it trusts, by `cloud.ca.crt`, and what it presents, `cloud.crt` with `cloud.key`. They
 * lie beside its properties. Without a `cloud.ca.crt` and without a token it pins the CA of the first server, and writes
 * it there. Servers give it new certificates, which replace the former ones for good once a server has accepted them.
 * @example
 * const trust = new Trust({ folder: 'conf', clock: systemClock, log: silentLog });
 * await trust.load();
 */
export class Trust {
  readonly #folder: string;
  readonly #caFile: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #shared: Trust | undefined;
  readonly #disk: Disk;
  /** PEM; empty without a CA. */
  #bundle = '';
  #own: OwnPem | undefined;
  #id = idOf(NONE, NONE);
  #context: { readonly bundle: string; readonly own: OwnPem | undefined; readonly context: SecureContext } | undefined;
  #token: string | undefined;
  /** The next dial tries the token, although there is a certificate: a server has refused that. */
  #prefersToken = false;
  /** The files have been replaced, and no server has accepted the new ones yet. */
  #isUnconfirmed = false;
  /** How often new files may have been refused. */
  #doubts = 0;
  /** One change of the files at a time. */
  #work: Promise<unknown> = Promise.resolve();

  constructor({ folder, clock, log, token, shared, disk = systemDisk }: TrustParts) {
    this.#folder = folder;
    this.#disk = disk;
    this.#caFile = join(folder, 'cloud.ca.crt');
    this.#clock = clock;
    this.#log = log;
    this.#token = token;
    this.#shared = shared;
  }

  /** Equal for equal certificates in use. */
  get id(): string {
    return this.#id;
  }

  /** When the certificate of this agent ends, in milliseconds since 1970; undefined: it has none. */
  get ends(): number | undefined {
    return this.#own && Date.parse(this.#own.validTo);
  }

  /**
   * Reads the files, and finishes or takes back an installation that a former process has left half done. A certificate
   * that cannot be used is logged as an error: the agent goes on without it, or with the one that it had before.
   * @throws TrustError when `cloud.ca.crt` cannot be read or has no valid certificate; what was read before is kept then
   */
  load(): Promise<void> {
    return this.#inTurn(async () => {
      const found = await this.#read();
      const steps = recovery(found);
      if (steps.length === 0) {
        this.#adopt(found);
        return;
      }
      this.#log.warn('Certificates were being replaced when a process ended: going on from there', {
        folder: this.#folder,
      });
      await this.#perform(steps).catch(error => this.#sayUnwritten(error));
      this.#adopt(await this.#read());
    });
  }

  /** The setting `enrollment.token` is another one now. It counts from the next dial on. */
  takeToken(token: string | undefined): void {
    this.#token = token;
  }

  /** For the next dial. */
  credentials(): Credentials {
    const token = this.#own === undefined || this.#prefersToken ? this.#token : undefined;
    if (token === undefined) {
      const hasCertificate = this.#own !== undefined;
      const context = this.#securely();
      return { id: this.#id, context, hasCertificate, token, judge: peer => this.#judge(peer) };
    }
    const judge = (peer: TLSSocket) => this.#judgeFirstContact(peer, token);
    firstContact ??= secureContext({});
    return { id: this.#id, context: firstContact, hasCertificate: false, token, judge };
  }

  /** For a dial that only looks. */
  inspection(): Inspection {
    const own = this.#own && { ...this.#own, chain: certificatesIn(this.#own.certPem) };
    return inspectionOf({ clock: this.#clock, bundle: bundleOf(this.#knownBundle), own, token: this.#token });
  }

  /**
   * Makes a key, unless there is one that can be used, and a certificate request, and writes both.
   * @param host the name of this host
   * @returns the request in PEM
   * @throws FileError
   */
  setUpKeyStore(host: string = hostname()): Promise<string> {
    return this.#carryOut('certificate request', async () => {
      const { file, pem } = keyForRequest(await this.#read());
      const key = pem === undefined ? makeKey() : createPrivateKey(pem);
      const csr = await makeRequest(key, host, reachableAddresses());
      await this.#perform(requestSteps(file, pem === undefined ? pemOfKey(key) : undefined, csr));
      this.#log.info('A server has asked for a certificate request: made one', {
        host,
        key: pem === undefined ? 'new' : 'kept',
      });
      return csr;
    });
  }

  /**
   * Takes a certificate into use that a server gives. `id` is another one afterwards.
   * @throws OfferError when it cannot be used, FileError when it cannot be written
   */
  setUpCertificate(offer: CertificateOffer): Promise<void> {
    return this.#carryOut('certificate', async () => {
      const steps = installation(await this.#read(), offer, this.#clock.wallTime());
      try {
        await this.#perform(steps);
      } catch (error) {
        await this.#takeBack();
        throw error;
      }
      this.#adopt(await this.#read());
      this.#prefersToken = false;
    });
  }

  /**
   * A server has made a dial with these credentials Ready. With the certificates that are in use, the former ones go, and
   * the token has had its use.
   * @returns whether the token has
   */
  accepted(used: Credentials): boolean {
    this.#doubts = 0;
    if (used.id !== this.#id || !used.hasCertificate) return false;
    this.#prefersToken = false;
    if (this.#isUnconfirmed) {
      this.#isUnconfirmed = false;
      this.#log.info('The new certificate is in use', this.#describeOwn());
      this.#inTurn(async () => this.#perform(confirmation(await this.#read()))).catch(error =>
        this.#sayUnwritten(error),
      );
    }
    const hadToken = this.#token !== undefined;
    this.#token = undefined;
    return hadToken;
  }

  /**
   * A server does not accept these credentials, or is not trusted by them. New files that have not worked yet are replaced
   * by the former ones; an agent with a token tries that, and the certificate the next time.
   * @param how a refusal that is only possible has to come several times before files are replaced; for one that is
   *   unsaid, only a token is tried
   */
  async refused(used: Credentials, why: string, how: Refusal): Promise<void> {
    if (this.#token !== undefined) {
      this.#prefersToken = used.hasCertificate;
      return;
    }
    if (!this.#isUnconfirmed || used.id !== this.#id || how === 'unsaid') return;
    if (how === 'possible' && ++this.#doubts < MOST_DOUBTS) return;
    this.#isUnconfirmed = false;
    this.#doubts = 0;
    try {
      await this.#inTurn(() => this.#takeBack());
      this.#log.error('The new certificate does not work: the former files are back', { reason: why });
    } catch (error) {
      this.#sayUnwritten(error);
    }
  }

  /** That of the folder, or the shared one. */
  get #knownBundle(): string {
    return this.#bundle === '' && this.#shared !== undefined ? this.#shared.#knownBundle : this.#bundle;
  }

  #judge(peer: TLSSocket): void {
    const bundle = this.#knownBundle;
    if (bundle === '') {
      const pinning = this.#shared ?? this;
      pinning.#pin(certificateToPin(issuerChainOf(peer), this.#clock.wallTime()));
      return;
    }
    const presented = presentedBy(peer);
    const known = { bundle: bundleOf(bundle), own: () => certificatesIn(this.#own?.certPem ?? '') };
    const why = objectionTo(presented, known, this.#clock.wallTime());
    if (why !== undefined) throw new TrustError(`${why}; the known CA is in ${this.#caFile}`);
  }

  #judgeFirstContact(peer: TLSSocket, token: string): void {
    const isCa = (certificate: X509Certificate) => isCaOfToken(token, certificate);
    const why = objectionToFirstContact(presentedBy(peer).chain, isCa, this.#clock.wallTime());
    if (why !== undefined) throw new TrustError(why);
  }

  #securely(): SecureContext {
    const [own, bundle] = [this.#own, this.#knownBundle];
    if (own === undefined && this.#bundle === '' && this.#shared !== undefined) return this.#shared.#securely();
    if (this.#context?.bundle !== bundle || this.#context.own !== own) {
      const context = secureContext({ ca: bundle, ...(own && { cert: own.certPem, key: own.keyPem }) });
      this.#context = { bundle, own, context };
    }
    return this.#context.context;
  }

  #pin(certificate: X509Certificate): void {
    this.#bundle = pemOf([certificate]);
    this.#id = idOf([certificate], certificatesIn(this.#own?.certPem ?? ''));
    this.#log.warn('No CA known yet: pinned the one that this server presents; from now on only it is trusted', {
      subject: subjectOf(certificate),
      fingerprint: certificate.fingerprint256,
      file: this.#caFile,
    });
    writeFileAtomic(this.#caFile, certificate.toString(), { mode: 0o644, disk: this.#disk }).catch(error =>
      this.#log.error('Cannot write the pinned CA: it is kept in memory', {
        file: this.#caFile,
        reason: reasonOf(error),
      }),
    );
  }

  async #takeBack(): Promise<void> {
    await this.#perform(takingBack(await this.#read()));
    const found = await this.#read();
    if (found['cloud.ca.crt'] === undefined) this.#bundle = '';
    this.#adopt(found);
  }

  /** Takes what the files say into use. @throws TrustError */
  #adopt(found: Folder): void {
    const file = found['cloud.ca.crt'];
    if (file?.unreadable !== undefined) throw new TrustError(`cannot read ${this.#caFile}: ${file.unreadable}`);
    const certificates = file === undefined ? certificatesIn(this.#bundle) : bundleIn(file.text, this.#caFile);
    const bundle = pemOf(certificates);
    const read = this.#ownIn(found, bundle);
    const own = typeof read === 'object' ? ownPemOf(read) : read === 'unusable' ? this.#own : undefined;
    const id = idOf(certificates, certificatesIn(own?.certPem ?? ''));
    this.#isUnconfirmed = isUnconfirmed(found);
    if (id === this.#id) return;
    this.#bundle = bundle;
    this.#own = own;
    this.#id = id;
    if (typeof read === 'object') this.#context = { bundle, own, context: read.context };
    if (own === undefined) return;
    this.#log.info('This agent has a certificate', this.#describeOwn());
    const why = objectionToDates('the certificate of this agent', own, this.#clock.wallTime());
    if (why !== undefined) this.#log.error('Servers may refuse this agent', { reason: why });
  }

  /** One that is unusable is said: the agent goes on with the one that it had. */
  #ownIn(found: Folder, bundle: string): OwnCertificate | 'none' | 'unusable' {
    const read = ownCertificateOf(found, IN_USE, bundle);
    if (read === undefined) return 'none';
    if ('own' in read) return read.own;
    const { file, why, remedy } = read.unusable;
    const goesOn = this.#own === undefined ? 'without one' : 'with the one that it had before';
    this.#log.error(`The certificate of this agent cannot be used: going on ${goesOn}`, {
      file: join(this.#folder, file),
      reason: why,
      remedy,
    });
    return 'unusable';
  }

  #describeOwn() {
    const own = this.#own;
    return own && { subject: own.subject, ends: own.validTo, file: join(this.#folder, 'cloud.crt') };
  }

  #sayUnwritten(error: unknown): void {
    this.#log.error('Cannot write the certificates of this agent', { folder: this.#folder, reason: reasonOf(error) });
  }

  #read(): Promise<Folder> {
    return readFolder(this.#folder, this.#disk);
  }

  #perform(steps: readonly FileStep[]): Promise<void> {
    return perform(this.#folder, steps, this.#disk);
  }

  /** What a server asks for. When it fails, the operator hears of it as the server does. */
  async #carryOut<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await this.#inTurn(work);
    } catch (error) {
      this.#log.error(`Cannot carry out what a server asks for: ${what}`, { reason: reasonOf(error) });
      throw error;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#work.then(work);
    this.#work = turn.catch(() => {});
    return turn;
  }
}

/** Of all dials that present no certificate, and judge the server by a token. */
let firstContact: SecureContext | undefined;

/** The bundle that was read last: thousands of agents in one process have the same. */
let lastBundle: { readonly pem: string; readonly certificates: readonly X509Certificate[] } | undefined;

function bundleOf(pem: string): readonly X509Certificate[] {
  if (lastBundle?.pem !== pem) lastBundle = { pem, certificates: certificatesIn(pem) };
  return lastBundle.certificates;
}

/** The certificate in use, as texts: OpenSSL's form of one takes 5 kB, and is needed only while a server is judged. */
interface OwnPem extends Pick<OwnCertificate, 'certPem' | 'keyPem'>, Pick<X509Certificate, 'validFrom' | 'validTo'> {
  readonly subject: string;
}

function ownPemOf({ certPem, keyPem, chain: [leaf] }: OwnCertificate): OwnPem {
  return { certPem, keyPem, subject: subjectOf(leaf), validFrom: leaf.validFrom, validTo: leaf.validTo };
}

const NONE: readonly X509Certificate[] = [];
/** So often a connection that is closed in the handshake may have another reason than the new certificate. */
const MOST_DOUBTS = 3;

/** Equal for equal certificates. */
function idOf(bundle: readonly X509Certificate[], own: readonly X509Certificate[]): string {
  const hash = createHash('sha256');
  for (const { raw } of bundle) hash.update(raw);
  hash.update('own');
  for (const { raw } of own) hash.update(raw);
  return hash.digest('hex');
}
