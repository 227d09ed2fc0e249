import { createServer } from 'node:http';
import t, { type Test } from 'tap';
import { call } from '../../src/admin/client.js';
import { isSignedWith } from '../../src/api/signature.js';
import { systemRandom } from '../../src/lib/random.js';
import { tcpAgentsPort } from '../../src/mgmt/agents/agents-port.js';
import { acceptTls, secureContext } from '../../src/protocol/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { plainCertificate } from '../helpers/certificates.js';
import { until } from '../helpers/until.js';

/** Its wall time begins with 2026. */
const clock = new FakeClock();

async function serve(t: Test, answer: (params: ReadonlyMap<string, string>) => [number, string]) {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', chunk => {
      body += chunk;
    });
    request.on('end', () => {
      const [status, text] = answer(new Map(new URLSearchParams(body)));
      response.writeHead(status).end(text);
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { endpoint: `http://127.0.0.1:${port}/client/api`, key: 'K', secret: 'S', source: 'test' };
}

t.test('client: a request is signed, and expires ten minutes later', async t => {
  let seen: ReadonlyMap<string, string> = new Map();
  const key = await serve(t, params => {
    seen = params;
    return [200, '{"listhostsresponse":{"count":1}}'];
  });
  const answer = await call(key, 'listHosts', new Map([['keyword', 'ü ~*[&=+']]), { clock, random: systemRandom });
  t.same(answer, { count: 1 });
  t.ok(isSignedWith(seen, 'S'));
  t.match(Object.fromEntries(seen), {
    command: 'listHosts',
    keyword: 'ü ~*[&=+',
    apiKey: 'K',
    response: 'json',
    signatureVersion: '3',
    expires: '2026-01-01T00:10:00+0000',
  });
  const { signature } = Object.fromEntries(seen);
  await call(key, 'listHosts', new Map([['keyword', 'ü ~*[&=+']]), { clock, random: systemRandom });
  t.not(seen.get('signature'), signature, 'the same call at the same moment is another request');
});

t.test('client: an error is a failure with its code, under whatever name', async t => {
  for (const name of ['listhostsresponse', 'errorresponse']) {
    const key = await serve(t, () => [432, `{"${name}":{"errorcode":432,"errortext":"unknown"}}`]);
    await t.rejects(call(key, 'listHosts', new Map(), { clock, random: systemRandom }), {
      name: 'ApiFailure',
      code: 432,
      message: 'unknown',
    });
  }
});

t.test('client: what is not CloudStack’s API is no answer', async t => {
  for (const text of ['<html>', '[]', 'null', '{}', '{"listhostsresponse":"x"}', '{"listhostsresponse":null}']) {
    const key = await serve(t, () => [502, text]);
    await t.rejects(
      call(key, 'listHosts', new Map(), { clock, random: systemRandom }),
      { name: 'Unreachable', message: /answered 502, and it is not CloudStack's API/ },
      text,
    );
  }
});

t.test('client: a server that is away is told with the reason, and what else to try', async t => {
  const key = { endpoint: 'http://127.0.0.1:1/client/api', key: 'K', secret: 'S', source: 'test' };
  await t.rejects(call(key, 'listHosts', new Map(), { clock, random: systemRandom }), {
    name: 'Unreachable',
    message: /^no answer from http:\/\/127\.0\.0\.1:1\/client\/api: .*; another server takes the same key: --endpoint/,
  });
});

t.test('client: a server that does not answer is given up after 90 s', async t => {
  let isAsked = false;
  const server = createServer(() => {
    isAsked = true;
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as { port: number };
  const key = { endpoint: `http://127.0.0.1:${port}/client/api`, key: 'K', secret: 'S', source: 'test' };
  const failed = t.rejects(call(key, 'listHosts', new Map(), { clock, random: systemRandom }), {
    name: 'Unreachable',
    message: /^no answer from .*: none within 90 s; another server/,
  });
  await until(() => isAsked);
  await clock.advance(90_000);
  await failed;
});

t.test('client: of a port that closes the connection it says whose that may be', async t => {
  const port = tcpAgentsPort({ address: '127.0.0.1', port: 0 });
  const context = secureContext(await plainCertificate());
  const at = await port.open((socket, remote) => {
    acceptTls(socket, { context, handshakeTimeoutMs: 10_000, remote }).catch(() => {});
  });
  t.teardown(() => port.close());
  const key = { endpoint: `http://127.0.0.1:${at.port}/client/api`, key: 'K', secret: 'S', source: 'test' };
  await t.rejects(call(key, 'listHosts', new Map(), { clock, random: systemRandom }), {
    message: /^no answer from .*: it closed the connection \(.*\), as the agents' port does; another server/,
  });
});
