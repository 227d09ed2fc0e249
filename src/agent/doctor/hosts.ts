import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { type Clock, delay } from '../../lib/clock.js';
import { codeOf, reasonOf } from '../../lib/errors.js';
import { pemOf } from '../../lib/pem.js';
import { connectTls, LIMITS, secureContext } from '../../protocol/index.js';
import { tcpDialer, type Wire } from '../dialer.js';
import type { AgentSettings } from '../settings.js';
import { objectionTo, presentedBy, subjectOf } from '../trust.js';
import type { Check, Finding } from './check.js';

/** Whether each host of the list, and of the last list that worked, takes agents. */
export const hosts: Check = {
  name: 'hosts',
  async *run({ settings, knownCa, clock }) {
    if (settings === undefined) return;
    for (const host of new Set([...settings.list.hosts, ...(settings.lastCompleted?.hosts ?? [])])) {
      yield await lookAtHost(host, settings, knownCa.bundle, clock);
    }
  },
};

/** A server that takes no agents closes at once; one that does waits for their Startup. */
const CLOSED_WITHIN_MS = 1_000;

/** Dials one host as an agent does, up to the end of the TLS handshake. */
async function lookAtHost(
  host: string,
  { port, handshakeTimeoutMs }: AgentSettings,
  bundle: readonly X509Certificate[],
  clock: Clock,
): Promise<Finding> {
  const what = `${host} port ${port}`;
  const started = clock.now();
  let addresses: readonly string[];
  try {
    addresses = await tcpDialer.addresses(host);
  } catch (error) {
    return {
      level: 'error',
      what,
      found: `the name cannot be resolved: ${reasonOf(error)}`,
      remedy: 'correct the name in host, or the name service',
    };
  }
  let wire: Wire;
  try {
    wire = await connect(addresses, port, clock);
  } catch (error) {
    if (isClosing(error)) return closesAtOnce(what, addresses.join(', '));
    return {
      level: 'error',
      what,
      found: `${addresses.join(', ')}: no connection: ${reasonOf(error)}`,
      remedy: 'is the server up, and does a firewall let this machine through?',
    };
  }
  const { address } = wire.remote;
  let presented: { peer: string; objection: string | undefined } | undefined;
  try {
    const transport = await connectTls(wire.socket, {
      clock,
      context: secureContext({ ca: pemOf(bundle) }),
      handshakeTimeoutMs,
      remote: wire.remote,
      host,
      judge: peer => {
        presented = judged(peer, bundle, clock.wallTime());
      },
    });
    const tookMs = Math.round(clock.now() - started);
    const closed = new Promise<boolean>(resolve => transport.listen({ onPacket() {}, onClose: () => resolve(true) }));
    const isClosed = await Promise.race([closed, delay(clock, CLOSED_WITHIN_MS).then(() => false)]);
    transport.destroy();
    if (presented?.objection !== undefined) {
      return {
        level: 'error',
        what,
        found: `${address}: ${presented.objection}`,
        remedy: 'is this the right server? If its CA was replaced, replace cloud.ca.crt by the new one',
      };
    }
    if (isClosed) return closesAtOnce(what, address);
    return { level: 'ok', what, found: `${address}: takes agents, ${tookMs} ms, certificate ${presented?.peer}` };
  } catch (error) {
    if (isClosing(error)) return closesAtOnce(what, address);
    return {
      level: 'error',
      what,
      found: `${address}: ${reasonOf(error)}`,
      remedy: "is this the agents' port of a management server?",
    };
  }
}

async function connect(addresses: readonly string[], port: number, clock: Clock): Promise<Wire> {
  const timeout = new AbortController();
  const timer = clock.after(LIMITS.connectMs, () =>
    timeout.abort(new Error(`no answer within ${LIMITS.connectMs} ms`)),
  );
  try {
    return await tcpDialer.connect(addresses, port, timeout.signal);
  } finally {
    timer.cancel();
  }
}

/** Who the server says it is, and what speaks against it. Without a known CA nothing does. */
function judged(peer: TLSSocket, bundle: readonly X509Certificate[], wallTime: number) {
  const presented = presentedBy(peer);
  const [own] = presented.chain;
  return {
    peer: own === undefined ? 'none' : `${subjectOf(own)}, by ${own.issuer.replaceAll('\n', ', ')}`,
    objection: bundle.length === 0 ? undefined : objectionTo(presented, bundle, wallTime),
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
