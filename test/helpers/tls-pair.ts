import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { Clock } from '../../src/lib/clock.js';
import { systemClock } from '../../src/lib/clock.js';
import {
  acceptTls,
  connectTls,
  type MemoryBudget,
  type ReadRate,
  secureContext,
  type Transport,
} from '../../src/protocol/index.js';
import { ANY_RATE } from '../../src/testing/fake-server.js';
import { plainCertificate } from './certificates.js';
import { memoryWire } from './wire-tap.js';

const REMOTE = { address: '127.0.0.1', port: 8250 };

export interface TlsPairOptions {
  readonly clock?: Clock;
  /** The two ends of a connection. @default a wire in memory */
  readonly wire?: { readonly agentEnd: Duplex; readonly serverEnd: Duplex };
  readonly serverContext?: SecureContext;
  readonly agentContext?: SecureContext;
  /** The server's. */
  readonly budget?: MemoryBudget;
  /** @default as fast as it comes */
  readonly readRate?: ReadRate;
  /** What the server has read before. @default nothing */
  readonly received?: Buffer;
}

/** Two secured transports, joined. */
export async function tlsPair(options: TlsPairOptions = {}): Promise<{ agent: Transport; server: Transport }> {
  const { agentEnd, serverEnd } = options.wire ?? memoryWire();
  const [server, agent] = await Promise.all([serverTls(serverEnd, options), agentTls(agentEnd, options)]);
  return { agent, server };
}

/** The server's side alone. */
export async function serverTls(socket: Duplex, options: TlsPairOptions = {}): Promise<Transport> {
  return acceptTls(socket, {
    ...common(options),
    context: options.serverContext ?? (await testContext()),
    ...(options.budget && { budget: options.budget }),
    ...(options.received && { received: options.received }),
  });
}

/** The agent's side alone. It trusts anybody. */
export async function agentTls(socket: Duplex, options: TlsPairOptions = {}): Promise<Transport> {
  return connectTls(socket, {
    ...common(options),
    context: options.agentContext ?? secureContext({}),
    host: '127.0.0.1',
    judge: () => {},
  });
}

let context: Promise<SecureContext> | undefined;

/** The context of a server with a certificate made for this process. */
function testContext(): Promise<SecureContext> {
  context ??= plainCertificate().then(secureContext);
  return context;
}

function common(options: TlsPairOptions) {
  const { readRate = ANY_RATE } = options;
  return { readRate, clock: options.clock ?? systemClock, handshakeTimeoutMs: 10_000, remote: REMOTE };
}
