import { X509Certificate } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Inspection } from '../../src/agent/trust/inspection.js';
import type { CertificateOffer } from '../../src/agent/trust/install.js';
import type { Refusal } from '../../src/agent/trust/refusal.js';
import type { AgentTrust, Credentials } from '../../src/agent/trust/trust.js';
import type { Clock } from '../../src/lib/clock.js';
import { writeFileAtomic } from '../../src/lib/files/atomic-file.js';
import type { Disk } from '../../src/lib/files/disk.js';
import type { Random } from '../../src/lib/random.js';
import { systemRandom } from '../../src/lib/random.js';
import type { Ca, Issued } from '../../src/mgmt/security/ca.js';
import type { CertificateRequest } from '../../src/mgmt/security/certificate-request.js';
import { sha256Hex } from '../../src/mgmt/security/fingerprint.js';
import { newCa } from '../../src/mgmt/security/new-ca.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { SimulatedContext } from './simulated-end.js';
import { hashOf } from './world.js';

/** What a certificate of a host says. It is handed out as a text of this. */
export interface HostCertificate {
  readonly uuid: string;
  readonly serial: string;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
}

/** The CA of all worlds, and certificates of servers: real ones, made once. */
const realCa = await newCa({ clock: new FakeClock(), random: systemRandom });
const [issuer] = realCa.signers;
if (issuer === undefined) throw new Error('the CA has no certificate');
export const ISSUER: X509Certificate = issuer;
const MSIDS = [1001, 1002, 1003, 1004, 1005];
const SERVER_CERTIFICATES = new Map<number, X509Certificate>();
for (const msid of MSIDS) {
  const { certPem } = await realCa.issueServerCertificate({ addresses: ['192.0.2.1'], msid });
  SERVER_CERTIFICATES.set(msid, new X509Certificate(certPem));
}

export function serverCertificate(msid: number): X509Certificate {
  const certificate = SERVER_CERTIFICATES.get(msid);
  if (certificate === undefined) throw new Error(`there is no certificate of server ${msid}`);
  return certificate;
}

const REQUEST = 'request of key ';
const DAY_MS = 86_400_000;

/** Issues certificates that are facts, where the real one signs. */
export function simulatedCa(clock: Clock, random: Random): Ca {
  const issue = (request: CertificateRequest, uuid: string, validityDays: number, name: string): Issued => {
    const serial = `${1 + random.int(0xfff_ffff)}${random.int(0xfff_ffff)}`;
    const notAfter = clock.wallTime() + validityDays * DAY_MS;
    const certificate: HostCertificate = { uuid, serial, notAfter };
    return {
      certPem: JSON.stringify(certificate),
      serial,
      cn: name,
      keyFingerprint: request.keyFingerprint,
      issuerFingerprint: realCa.fingerprint,
      notBefore: clock.wallTime(),
      notAfter,
    };
  };
  return {
    fingerprint: realCa.fingerprint,
    isCurrent: true,
    chainPem: realCa.chainPem,
    anchorFingerprint: realCa.anchorFingerprint,
    signers: realCa.signers,
    signersPem: realCa.signersPem,
    bundle: { pem: 'the bundle', generation: 1 },
    async successor() {
      throw new Error('worlds have one CA');
    },
    follow: async () => false,
    onChange() {},
    async readRequest(text) {
      const spki = Buffer.from(text);
      return { spki, keyFingerprint: sha256Hex(spki), subject: {} };
    },
    async issueServerCertificate() {
      throw new Error('servers have their certificates');
    },
    issueHostCertificate: async (request, { uuid, name, validityDays }) => issue(request, uuid, validityDays, name),
    async issueAddressCertificate() {
      throw new Error('there are no agents of CloudStack');
    },
  };
}

/** The file of an agent's certificate. */
export const CERTIFICATE_FILE = 'cloud.crt';

/** An agent's certificate in a file of its disk, and its token. */
export class SimulatedTrust implements AgentTrust {
  readonly #file: string;
  readonly #guid: string;
  readonly #disk: Disk;
  #certificate: HostCertificate | undefined;
  #token: string | undefined;
  #prefersToken = false;

  constructor(propertiesFile: string, guid: string, disk: Disk, token: string | undefined) {
    this.#file = join(dirname(propertiesFile), CERTIFICATE_FILE);
    this.#guid = guid;
    this.#disk = disk;
    this.#token = token;
  }

  get id(): string {
    return this.#certificate?.serial ?? 'none';
  }

  async load(): Promise<void> {
    const bytes = await this.#disk.readFile(this.#file).catch(() => undefined);
    this.#certificate = bytes === undefined ? undefined : certificateIn(bytes.toString());
  }

  credentials(): Credentials {
    const token = this.#certificate === undefined || this.#prefersToken ? this.#token : undefined;
    const certificate = token === undefined ? this.#certificate : undefined;
    const context = new SimulatedContext({ kind: 'agent', certificate });
    return { id: this.id, context, hasCertificate: certificate !== undefined, token, judge() {} };
  }

  inspection(): Inspection {
    const certificate = this.#certificate;
    const context = new SimulatedContext({ kind: 'agent', certificate }, { isLook: true });
    return {
      context,
      hasCertificate: certificate !== undefined,
      judge: () => ({ peer: 'not looked at', objection: undefined, isVouchedFor: true }),
    };
  }

  takeToken(token: string): void {
    this.#token = token;
  }

  async setUpKeyStore(): Promise<string> {
    return `${REQUEST}${hashOf(this.#guid)}`;
  }

  async setUpCertificate({ certificate }: CertificateOffer): Promise<void> {
    await writeFileAtomic(this.#file, certificate, { disk: this.#disk });
    this.#certificate = certificateIn(certificate);
    this.#prefersToken = false;
  }

  accepted(used: Credentials): boolean {
    if (used.id !== this.id || !used.hasCertificate) return false;
    const hadToken = this.#token !== undefined;
    this.#token = undefined;
    return hadToken;
  }

  async refused(used: Credentials, _why: string, _how: Refusal): Promise<void> {
    if (this.#token !== undefined) this.#prefersToken = used.hasCertificate;
  }
}

function certificateIn(text: string): HostCertificate | undefined {
  return text === '' ? undefined : JSON.parse(text);
}
