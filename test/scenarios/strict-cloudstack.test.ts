import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import t from 'tap';
import {
  SetupCertificateCommand,
  SetupKeyStoreCommand,
  SetupKeystoreAnswer,
  secureContext,
} from '../../src/protocol/index.js';
import type { FakeLink } from '../../src/testing/fake-server.js';
import { bench, passes } from '../helpers/agent-bench.js';
import { TestCa } from '../helpers/test-ca.js';
import { until } from '../helpers/until.js';
import { readCertificates } from '../helpers/wire.js';

const recorded = readCertificates();
/** In the life of the recorded certificates. */
const THEN = Date.UTC(2027, 0, 1);
/** The agent's, in the network of the bench. */
const AGENT_ADDRESS = '10.9.9.9';

/** As CloudStack 4.22 looks at a client certificate: of its CA, and the address of the peer is one of its names. */
function isAccepted(peer: TLSSocket, root: X509Certificate): boolean {
  const { raw } = peer.getPeerCertificate();
  if (raw === undefined) return false;
  const certificate = new X509Certificate(raw);
  return certificate.verify(root.publicKey) && certificate.subjectAltName?.includes(AGENT_ADDRESS) === true;
}

t.test('strict CloudStack: refused without a certificate, taken with one, and renewed without a gap', async t => {
  const ca = await TestCa.of(recorded.root, recorded.rootKey);
  const world = await bench(t, { wallTime: THEN, file: 'guid=g\nhost=a\n', files: { 'cloud.ca.crt': recorded.root } });
  const { agent, a, clock, log, folder } = world;
  // The profile of a real server: it presents its CA certificate itself.
  a.context = secureContext({ cert: recorded.root, key: recorded.rootKey });
  const presented: string[] = [];
  a.judge = peer => {
    if (!isAccepted(peer, ca.certificate)) throw new Error('Empty client certificate chain');
    presented.push(new X509Certificate(peer.getPeerCertificate().raw).serialNumber);
  };

  // Java refuses inside the handshake, by bad_certificate.
  const accept = a.accept.bind(a);
  a.accept = async socket => {
    socket.once('data', () => socket.end(Buffer.from([0x15, 3, 3, 0, 2, 2, 42])));
  };
  agent.start();
  await until(() => log.count('warn Cannot connect to host: a') === 1);
  t.match(log.fieldsOf('warn Cannot connect'), {
    reason: /^the server demands a client certificate, and this agent has none.*cloud\.crt, cloud\.key/,
  });

  // The operator does as it says.
  a.accept = accept;
  const own = await ca.leaf({ name: 'host-1' });
  writeFileSync(join(folder, 'cloud.crt'), own.cert);
  writeFileSync(join(folder, 'cloud.key'), own.key, { mode: 0o600 });
  await agent.reloadCertificates();
  await passes(clock, () => a.ready.length === 1, 60_000);
  await world.upOn(a);
  t.same(presented, [new X509Certificate(own.cert).serialNumber]);

  // provisionCertificate, with reconnect=true: the server ends the link once the agent has the certificate.
  const [link] = a.ready as [FakeLink];
  const keyStore = { validityDays: 365, keystorePassword: 'MquW6k2OH5YzjAkV', handleByAgent: true };
  const [answer] = (await link.send([SetupKeyStoreCommand.encode(keyStore)])).messages;
  const { csr = '' } = answer ? SetupKeystoreAnswer.decode(answer) : {};
  const certificate = await ca.sign(csr);
  const offer = { certificate, privateKey: '', caCertificates: recorded.root, handleByAgent: true };
  const [done] = (await link.send([SetupCertificateCommand.encode(offer)])).messages;
  t.match(done, { type: /SetupCertificateAnswer$/, fields: { result: true } });
  link.link.close('reconnect');
  await passes(clock, () => a.ready.some(other => other !== link), 5_000);
  await world.upOn(a);
  t.equal(presented.at(-1), new X509Certificate(certificate).serialNumber);
  t.equal(readFileSync(join(folder, 'cloud.crt'), 'utf8'), certificate);
  await until(() => log.count('info The new certificate is in use') === 1);
});
