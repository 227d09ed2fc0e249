import { untilAborted, withinLimit } from '../../lib/abort.js';
import { NOT_YET_VALID } from '../../lib/chain.js';
import type { Clock } from '../../lib/clock.js';
import { codeOf, reasonOf } from '../../lib/errors.js';
import { Semaphore } from '../../lib/semaphore.js';
import { LIMITS, type Transport } from '../../protocol/index.js';
import type { Dialer, Wire } from '../dial/dialer.js';
import { plainReason } from '../dial/plain-reason.js';
import type { Inspected, Inspection } from '../trust/inspection.js';
import { isAboutCertificates } from '../trust/refusal.js';
import type { Finding } from './finding.js';

/** Which hosts are dialled, and how. */
export interface HostDials {
  readonly hosts: readonly string[];
  /** The TCP port of all hosts. */
  readonly port: number;
  readonly handshakeTimeoutMs: number;
  readonly clock: Clock;
  readonly dialer: Dialer;
  readonly inspection: Inspection;
  /** Ends all dials. Those that are not over are an error then, with its reason. */
  readonly signal: AbortSignal;
}

/** A server that takes no agents closes at once; one that does waits for their Startup. */
const CLOSED_WITHIN_MS = 1_000;

/** Dials hosts as an agent does, up to the end of the TLS handshake. Yields one finding for each, in their order. */
export async function* dialHosts(dials: HostDials): AsyncGenerator<Finding> {
  // Several at once: a host that does not answer takes its time.
  const atOnce = new Semaphore(LIMITS.doctorDials);
  const looks = dials.hosts.map(host => lookInTurn(host, dials, atOnce));
  for (const look of looks) yield await look;
}

/** Never rejects. */
async function lookInTurn(host: string, dials: HostDials, atOnce: Semaphore): Promise<Finding> {
  const what = `${host} port ${dials.port}`;
  try {
    return await atOnce.run(() => lookAtHost(host, what, dials), dials.signal);
  } catch (error) {
    return { level: 'error', what, found: reasonOf(error) };
  }
}

/** Dials the addresses of one host, one after another, until one takes agents. @throws the signal's reason */
async function lookAtHost(host: string, what: string, dials: HostDials): Promise<Finding> {
  const { dialer, signal } = dials;
  let addresses: readonly string[];
  try {
    addresses = await untilAborted(dialer.addresses(host), signal);
  } catch (error) {
    signal.throwIfAborted();
    return {
      level: 'error',
      what,
      found: `the name cannot be resolved: ${reasonOf(error)}`,
      remedy: 'correct the name in host, or the name service',
    };
  }
  let found: Finding | undefined;
  for (const address of addresses) {
    const next = await lookAtAddress(address, host, what, dials);
    // Of several that take no agents, a server that is there says more than one that is not.
    if (found === undefined || next.level !== 'error') found = next;
    if (next.level === 'ok') break;
  }
  return found ?? { level: 'error', what, found: 'the name has no address', remedy: 'correct the name in host' };
}

/** @throws the signal's reason */
async function lookAtAddress(address: string, host: string, what: string, dials: HostDials): Promise<Finding> {
  const { clock, inspection, signal } = dials;
  const started = clock.now();
  let wire: Wire;
  try {
    wire = await connect(address, dials);
  } catch (error) {
    signal.throwIfAborted();
    if (isClosing(error)) return closesAtOnce(what, address);
    return {
      level: 'error',
      what,
      found: `${address}: no connection: ${reasonOf(error)}`,
      remedy: 'is the server up, and does a firewall let this machine through?',
    };
  }
  const end = () => wire.destroy();
  signal.addEventListener('abort', end, { once: true });
  try {
    signal.throwIfAborted();
    const { transport, inspected } = await secure(wire, host, dials);
    const tookMs = Math.round(clock.now() - started);
    const isClosed = await closesSoon(transport, clock, signal);
    if (inspected?.objection !== undefined) {
      const { objection } = inspected;
      return { level: 'error', what, found: `${address}: ${objection}`, remedy: remedyFor(objection) };
    }
    if (isClosed) return closesAtOnce(what, address);
    return { level: 'ok', what, found: `${address}: takes agents, ${tookMs} ms, certificate ${inspected?.peer}` };
  } catch (error) {
    signal.throwIfAborted();
    if (isClosing(error)) return closesAtOnce(what, address);
    return {
      level: 'error',
      what,
      found: `${address}: ${plainReason(error, inspection.hasCertificate)}`,
      remedy: isAboutCertificates(error)
        ? 'see docs/certificates.md'
        : "is this the agents' port of a management server?",
    };
  } finally {
    signal.removeEventListener('abort', end);
    end();
  }
}

async function secure(wire: Wire, host: string, { clock, handshakeTimeoutMs, inspection }: HostDials) {
  let inspected: Inspected | undefined;
  const transport = await wire.secure({
    clock,
    context: inspection.context,
    handshakeTimeoutMs,
    host,
    judge: peer => {
      inspected = inspection.judge(peer);
    },
  });
  return { transport, inspected };
}

/** Whether the server closes the connection. It is ended in any case. */
async function closesSoon(transport: Transport, clock: Clock, signal: AbortSignal): Promise<boolean> {
  const closed = new Promise<boolean>(resolve => transport.listen({ onPacket() {}, onClose: () => resolve(true) }));
  try {
    return await withinLimit(
      clock,
      CLOSED_WITHIN_MS,
      () => untilAborted(closed, signal),
      () => false,
    );
  } finally {
    transport.destroy();
  }
}

function remedyFor(objection: string): string {
  return objection.includes(NOT_YET_VALID)
    ? "set this machine's clock, or the server's"
    : 'is this the right server? If its CA was replaced, replace cloud.ca.crt by the new one';
}

function connect(address: string, { port, dialer, clock, signal }: HostDials): Promise<Wire> {
  return withinLimit(
    clock,
    LIMITS.connectMs,
    limit => dialer.connect(address, port, AbortSignal.any([limit, signal])),
    () => {
      throw new Error(`no answer within ${LIMITS.connectMs} ms`);
    },
  );
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
