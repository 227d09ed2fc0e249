import { duplexPair } from 'node:stream';
import { systemClock } from '../../src/lib/clock.js';
import { acceptTls, connectTls, secureContext, type Transport } from '../../src/protocol/index.js';
import { plainCertificate } from './certificates.js';

const REMOTE = { address: '127.0.0.1', port: 8250 };

/** Two secured transports, joined in memory. */
export async function tlsPair(): Promise<{ agent: Transport; server: Transport }> {
  const credentials = await plainCertificate();
  const [agentSide, serverSide] = duplexPair();
  const common = { clock: systemClock, handshakeTimeoutMs: 10_000, remote: REMOTE };
  const [server, agent] = await Promise.all([
    acceptTls(serverSide, { ...common, context: secureContext(credentials) }),
    connectTls(agentSide, { ...common, context: secureContext({}), host: '127.0.0.1', judge: () => {} }),
  ]);
  return { agent, server };
}
