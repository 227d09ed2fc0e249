import { duplexPair } from 'node:stream';
import t from 'tap';
import { isConnectionRefused, plainReason } from '../../../src/agent/dial/plain-reason.js';
import { connectTls, secureContext } from '../../../src/protocol/index.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';

/** What a client says of a server that answers its first bytes by this alert. */
async function reasonFor(alert: number, hasCertificate = false): Promise<string> {
  const [agentSide, serverSide] = duplexPair();
  // A TLS 1.2 record of the type alert: fatal.
  serverSide.once('data', () => serverSide.end(Buffer.from([0x15, 3, 3, 0, 2, 2, alert])));
  return connectTls(agentSide, {
    clock: new FakeClock(),
    context: secureContext({}),
    handshakeTimeoutMs: 1_000,
    remote: { address: '192.0.2.1', port: 8250 },
    host: '192.0.2.1',
    judge: () => {},
  }).then(
    () => 'no reason',
    error => plainReason(error, hasCertificate),
  );
}

t.test('regression: reason: a server that demands a client certificate is said to', async t => {
  t.match(await reasonFor(42), /^the server demands a client certificate, and this agent has none/, 'bad_certificate');
  t.match(await reasonFor(40), /^the server refuses the TLS handshake; it may demand a client/, 'handshake_failure');
  t.match(await reasonFor(70), /^TLS handshake failed: .*protocol version/, 'another one is as OpenSSL says');
});

t.test('reason: a server that does not accept the certificate of the agent is said to', async t => {
  for (const alert of [42, 43, 44, 45, 46, 48, 49]) {
    t.match(
      await reasonFor(alert, true),
      /^the server does not accept the certificate of this agent/,
      `alert ${alert}`,
    );
  }
  t.match(await reasonFor(40, true), /^the server refuses the TLS handshake; it may not accept the certificate/);
});

t.test('regression: reason: a server that closes in the handshake may have refused the certificate', async t => {
  const [agentSide, serverSide] = duplexPair();
  serverSide.once('data', () => serverSide.end());
  const options = { context: secureContext({}), handshakeTimeoutMs: 1_000, host: '192.0.2.1', judge: () => {} };
  const remote = { address: '192.0.2.1', port: 8250 };
  const failed = await connectTls(agentSide, { ...options, clock: new FakeClock(), remote }).catch(error => error);
  t.match(plainReason(failed, true), /^the peer closed .*it may not accept the certificate .*createEnrollmentToken/);
  t.equal(plainReason(failed, false), 'the peer closed during the TLS handshake');
});

t.test('reason: a connection is refused when each address refuses it', async t => {
  const refused = Object.assign(new Error('x'), { code: 'ECONNREFUSED' });
  const timedOut = Object.assign(new Error('x'), { code: 'ETIMEDOUT' });
  t.ok(isConnectionRefused(refused));
  t.ok(isConnectionRefused(new AggregateError([refused, refused])));
  t.notOk(isConnectionRefused(new AggregateError([refused, timedOut])));
  t.notOk(isConnectionRefused(timedOut));
  t.notOk(isConnectionRefused(undefined));
});
