import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { withinLimit } from '../../lib/abort.js';
import { NOT_YET_VALID } from '../../lib/chain.js';
import type { Clock } from '../../lib/clock.js';
import { codeOf, reasonOf } from '../../lib/errors.js';
import { pemOf } from '../../lib/pem.js';
import { issuerOf, subjectOf } from '../../protocol/certificate-names.js';
import { LIMITS, secureContext } from '../../protocol/index.js';
import { type Dialer, tcpDialer, type Wire } from '../dial/dialer.js';
import { plainReason } from '../dial/plain-reason.js';
import type { AgentSettings } from '../settings.js';
import { isCaOfToken } from '../trust/enrolment.js';
import { type KnownCa, objectionTo, objectionToFirstContact, presentedBy } from '../trust/judge.js';
import { type OwnCertificate, ownCertificateOf } from '../trust/own-certificate.js';
import { isAboutCertificates } from '../trust/refusal.js';
import type { Check, Finding } from './check.js';

/** Whether each host of the list, and of the last list that worked, takes agents. */
export const hosts: Check = {
  name: 'hosts',
  async *run({ settings, knownCa, certificates, clock }) {
    if (settings === undefined) return;
    const dialer = tcpDialer({ clock });
    const names = new Set([...settings.list.hosts, ...(settings.lastCompleted?.hosts ?? [])]);
    // All at once: a host that does not answer takes its time.
    const read = ownCertificateOf(certificates);
    const own = read !== undefined && 'own' in read ? read.own : undefined;
    const parts = { settings, bundle: knownCa.bundle, own, clock, dialer };
    const looks = [...names].map(host => lookAtHost(host, parts));
    for (const look of looks) yield await look;
  },
};

interface LookParts {
  readonly settings: AgentSettings;
  readonly bundle: readonly X509Certificate[];
  readonly own: OwnCertificate | undefined;
  readonly clock: Clock;
  readonly dialer: Dialer;
}

/** A server that takes no agents closes at once; one that does waits for their Startup. */
const CLOSED_WITHIN_MS = 1_000;

/** Dials the addresses of one host, one after another, until one takes agents. */
async function lookAtHost(host: string, parts: LookParts): Promise<Finding> {
  const what = `${host} port ${parts.settings.port}`;
  let addresses: readonly string[];
  try {
    addresses = await parts.dialer.addresses(host);
  } catch (error) {
    return {
      level: 'error',
      what,
      found: `the name cannot be resolved: ${reasonOf(error)}`,
      remedy: 'correct the name in host, or the name service',
    };
  }
  let found: Finding | undefined;
  for (const address of addresses) {
    const next = await lookAtAddress(address, host, what, parts);
    // Of several that take no agents, a server that is there says more than one that is not.
    if (found === undefined || next.level !== 'error') found = next;
    if (next.level === 'ok') break;
  }
  return found ?? { level: 'error', what, found: 'the name has no address', remedy: 'correct the name in host' };
}

/** Dials as an agent does, up to the end of the TLS handshake. */
async function lookAtAddress(
  address: string,
  host: string,
  what: string,
  { settings, bundle, own, clock, dialer }: LookParts,
): Promise<Finding> {
  const { port, handshakeTimeoutMs } = settings;
  const started = clock.now();
  let wire: Wire;
  try {
    wire = await connect(address, port, dialer, clock);
  } catch (error) {
    if (isClosing(error)) return closesAtOnce(what, address);
    return {
      level: 'error',
      what,
      found: `${address}: no connection: ${reasonOf(error)}`,
      remedy: 'is the server up, and does a firewall let this machine through?',
    };
  }
  let presented: { peer: string; objection: string | undefined } | undefined;
  try {
    const transport = await wire.secure({
      clock,
      context: secureContext({ ca: pemOf(bundle), ...(own && { cert: own.certPem, key: own.keyPem }) }),
      handshakeTimeoutMs,
      host,
      judge: peer => {
        const knownCa = { bundle, own: own?.chain ?? [] };
        presented = judged(peer, knownCa, settings.enrolmentToken, clock.wallTime());
      },
    });
    const tookMs = Math.round(clock.now() - started);
    const closed = new Promise<boolean>(resolve => transport.listen({ onPacket() {}, onClose: () => resolve(true) }));
    const isClosed = await withinLimit(
      clock,
      CLOSED_WITHIN_MS,
      () => closed,
      () => false,
    );
    transport.destroy();
    if (presented?.objection !== undefined) {
      return {
        level: 'error',
        what,
        found: `${address}: ${presented.objection}`,
        remedy: remedyFor(presented.objection),
      };
    }
    if (isClosed) return closesAtOnce(what, address);
    return { level: 'ok', what, found: `${address}: takes agents, ${tookMs} ms, certificate ${presented?.peer}` };
  } catch (error) {
    if (isClosing(error)) return closesAtOnce(what, address);
    return {
      level: 'error',
      what,
      found: `${address}: ${plainReason(error, own !== undefined)}`,
      remedy: isAboutCertificates(error)
        ? 'see docs/certificates.md'
        : "is this the agents' port of a management server?",
    };
  }
}

function remedyFor(objection: string): string {
  return objection.includes(NOT_YET_VALID)
    ? "set this machine's clock, or the server's"
    : 'is this the right server? If its CA was replaced, replace cloud.ca.crt by the new one';
}

function connect(address: string, port: number, dialer: Dialer, clock: Clock): Promise<Wire> {
  return withinLimit(
    clock,
    LIMITS.connectMs,
    signal => dialer.connect(address, port, signal),
    () => {
      throw new Error(`no answer within ${LIMITS.connectMs} ms`);
    },
  );
}

/** Who the server says it is, and what speaks against it. Without a known CA and a token nothing does. */
function judged(peer: TLSSocket, knownCa: KnownCa, token: string | undefined, wallTime: number) {
  const presented = presentedBy(peer);
  const [leaf] = presented.chain;
  const byBundle = () => (knownCa.bundle.length === 0 ? undefined : objectionTo(presented, knownCa, wallTime));
  const byToken = (token: string) =>
    objectionToFirstContact(presented.chain, certificate => isCaOfToken(token, certificate), wallTime);
  return {
    peer: leaf === undefined ? 'none' : `${subjectOf(leaf)}, by ${issuerOf(leaf)}`,
    objection: token === undefined || knownCa.own.length > 0 ? byBundle() : byToken(token),
  };
}

/** The connection ends before or in the handshake: so CloudStack's servers, and Muster's, refuse agents for now. */
function isClosing(error: unknown): boolean {
  const codes = [codeOf(error), error instanceof Error ? codeOf(error.cause) : undefined];
  return codes.some(code => code === 'HANDSHAKE_CLOSED' || code === 'ECONNRESET');
}

function closesAtOnce(what: string, address: string): Finding {
  return {
    level: 'warn',
    what,
    found: `${address}: closes at once`,
    remedy: 'it is in maintenance, or has too much to do; the agent goes on to the next host',
  };
}
