import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { httpServer, listenHttp } from '../../../src/mgmt/http/http-server.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { takenPort } from '../../helpers/mgmt-process.js';

/** The HTTP side on a port of its own, with an API that tells what it was asked. */
async function serve(t: Test) {
  const asked: { params: [string, string][]; address: string }[] = [];
  const state = {
    notReady: undefined as string | undefined,
    status: 200,
    isSigned: true,
    body: ['{"listhostsresponse":{}}'],
  };
  const clock = new FakeClock();
  const app = httpServer({
    clock,
    api: {
      async handle(params, address) {
        asked.push({ params: [...params], address });
        return { status: state.status, body: state.body, isSigned: state.isSigned };
      },
    },
    notReady: () => state.notReady,
  });
  t.teardown(() => app.close());
  const port = await listenHttp(app, '127.0.0.1', 0);
  const base = `http://127.0.0.1:${port}`;
  return { app, clock, asked, state, port, base, api: `${base}/client/api` };
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/** CloudStack's shape, and the HTTP status is the code in it. */
async function failureOf(response: Response) {
  const { errorresponse: inside } = (await response.json()) as { errorresponse: Record<string, unknown> };
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    code: inside.errorcode,
    text: String(inside.errortext),
    keys: Object.keys(inside).join(),
  };
}
const refusal = (status: number, text: RegExp) => ({
  status,
  type: 'application/json; charset=UTF-8',
  code: status,
  text,
  keys: 'uuidList,errorcode,cserrorcode,errortext',
});

t.test('http: query and form are one map; of a repeated parameter the first counts', async t => {
  const { asked, api } = await serve(t);
  const response = await fetch(`${api}?command=listHosts&a=1&a=2&b=%2B+%C3%BC`, {
    method: 'POST',
    headers: FORM,
    body: 'a=3&c=x%3Dy&c=z&apiKey=K',
  });
  t.equal(response.status, 200);
  t.equal(response.headers.get('content-type'), 'application/json; charset=UTF-8');
  t.equal(await response.text(), '{"listhostsresponse":{}}');
  t.same(Object.fromEntries(asked[0]?.params ?? []), {
    command: 'listHosts',
    a: '1',
    b: '+ ü',
    c: 'x=y',
    apiKey: 'K',
  });
  t.equal(asked[0]?.address, '127.0.0.1');
});

t.test('regression: a question mark in a value does not cut off what stands behind it', async t => {
  const { asked, api } = await serve(t);
  await fetch(`${api}?name=what?&command=listHosts`);
  t.same(Object.fromEntries(asked[0]?.params ?? []), { name: 'what?', command: 'listHosts' });
});

t.test('http: the status of the answer is the API’s', async t => {
  const { state, api } = await serve(t);
  for (const status of [401, 429, 431, 432, 503, 530]) {
    state.status = status;
    t.equal((await fetch(api)).status, status);
  }
});

t.test('http: what is nowhere, by other methods, or in another form, is refused as the API refuses', async t => {
  const { asked, api, base } = await serve(t);
  const nowhere = /^there is nothing at GET \/client: the API is at \/client\/api, by GET and POST$/;
  t.match(await failureOf(await fetch(`${base}/client`)), refusal(404, nowhere));
  t.match(await failureOf(await fetch(`${base}/`)), refusal(404, /nothing at GET \//));
  t.match(await failureOf(await fetch(api, { method: 'DELETE' })), refusal(404, /DELETE/));
  const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"command":"listHosts"}' };
  t.match(await failureOf(await fetch(api, json)), refusal(415, /x-www-form-urlencoded is expected/));
  const plain = { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'command=listHosts' };
  t.match(await failureOf(await fetch(api, plain)), refusal(415, /is expected/));
  t.same(asked, []);
});

t.test('http: a body or a query that is too long is refused, and says so', async t => {
  const { asked, api } = await serve(t);
  const long = { method: 'POST', headers: FORM, body: `a=${'x'.repeat(64 * 1024)}` };
  t.match(await failureOf(await fetch(api, long)), refusal(413, /^the request is longer than 65536 bytes$/));
  const query = await fetch(`${api}?a=${'x'.repeat(20_000)}`);
  t.match(await failureOf(query), refusal(431, /too long for GET: send it as a form, by POST/));
  const fits = await fetch(api, { method: 'POST', headers: FORM, body: `a=${'x'.repeat(60_000)}` });
  t.equal(fits.status, 200);
  t.equal(asked.length, 1);
});

t.test('http: what is no HTTP is answered 400, and the server goes on', async t => {
  const { api, port } = await serve(t);
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', chunk => {
    answer += chunk;
  });
  socket.write('\x16\x03\x01\x02\x00\x01\x00 hello\r\n\r\n');
  await once(socket, 'close');
  t.match(answer, /^HTTP\/1\.1 400 Refused\r\n/);
  t.match(answer, /"errorcode":400/);
  t.notMatch(answer, /\bat .*\.js/, 'no stack trace');
  t.equal((await fetch(api)).status, 200);
});

t.test(
  'regression: the socket of a request that is refused is closed, whether the client closes its side or not',
  async t => {
    const { app, port } = await serve(t);
    const sockets = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
        socket.on('error', () => {});
        socket.write('nonsense\r\n\r\n');
        socket.resume();
        await once(socket, 'end');
        return socket;
      }),
    );
    const left = await new Promise(resolve => app.server.getConnections((_error, count) => resolve(count)));
    t.equal(left, 0);
    for (const socket of sockets) socket.destroy();
  },
);

t.test('http: more than 200 parameters are refused before they are looked at', async t => {
  const { asked, api } = await serve(t);
  const body = Array.from({ length: 201 }, (_, i) => `p${i}=`).join('&');
  t.match(await failureOf(await fetch(api, { method: 'POST', headers: FORM, body })), refusal(400, /more than 200/));
  t.same(asked, []);
});

t.test('http: silent connections, and those with unsigned requests, do not keep a client out', async t => {
  const { app, clock, state, port } = await serve(t);
  const open = async () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    t.teardown(() => socket.destroy());
    return socket;
  };
  const ask = async (socket: Socket) => {
    socket.write('GET /client/api?command=listHosts HTTP/1.1\r\nHost: muster\r\n\r\n');
    const [answer] = await once(socket, 'data');
    return String(answer).slice(0, 12);
  };
  const first = await open();
  t.equal(await ask(first), 'HTTP/1.1 200');
  state.isSigned = false;
  const silent = [];
  for (let i = 0; i < 256; i++) silent.push(await open());
  const newcomer = await open();
  t.equal(await ask(newcomer), 'HTTP/1.1 200');
  if (!silent[0]?.closed) await once(silent[0] as Socket, 'close');
  t.ok(silent[0]?.closed, 'the oldest silent one has gone for it');
  t.equal(await ask(first), 'HTTP/1.1 200', 'one that has signed stays');
  for (const socket of silent.slice(1)) await ask(socket);
  await clock.advance(5_000);
  state.isSigned = true;
  t.equal(await ask(await open()), 'HTTP/1.1 200', 'the oldest has gone, though it has spoken');
  t.ok(app.server.maxConnections > 256);
});

t.test('http: healthz says alive, readyz why not', async t => {
  const { base, state, asked } = await serve(t);
  const ask = async (path: string) => {
    const response = await fetch(base + path);
    return [response.status, await response.text()];
  };
  t.same(await ask('/healthz'), [200, 'alive\n']);
  t.same(await ask('/readyz'), [200, 'ready\n']);
  state.notReady = 'stopping';
  t.same(await ask('/readyz'), [503, 'stopping\n']);
  t.same(await ask('/healthz'), [200, 'alive\n'], 'it lives all the same');
  t.same(asked, [], 'neither needs a key');
});

t.test('http: a port in use is a fatal error with its own code', async t => {
  const port = await takenPort(t);
  const handle = async () => ({ status: 200, body: [''], isSigned: false });
  const app = httpServer({ clock: new FakeClock(), api: { handle }, notReady: () => undefined });
  t.teardown(() => app.close());
  await t.rejects(listenHttp(app, '127.0.0.1', port), { code: 'PORT_IN_USE', message: /in use/ });
});

t.test('regression: http: the name localhost is one listener, whose connections are bounded', async t => {
  const app = httpServer({
    clock: new FakeClock(),
    api: { handle: async () => ({ status: 200, body: ['{}'], isSigned: true }) },
    notReady: () => undefined,
  });
  t.teardown(() => app.close());
  const port = await listenHttp(app, 'localhost', 0);
  const { address } = await lookup('localhost');
  t.match(app.addresses(), [{ address, port }]);
  t.equal(app.addresses().length, 1);
});

t.test(
  'regression: http: a thousand requests in one segment are not worked on; one after another they are',
  async t => {
    const { asked, port } = await serve(t);
    const request = 'GET /client/api?command=listHosts HTTP/1.1\r\nHost: x\r\n\r\n';
    const pipelining = connect({ host: '127.0.0.1', port });
    pipelining.resume().on('error', () => {});
    pipelining.write(request.repeat(1_000));
    await once(pipelining, 'close');
    t.ok(asked.length <= 1, `${asked.length} were worked on`);
    const orderly = connect({ host: '127.0.0.1', port });
    t.teardown(() => orderly.destroy());
    for (let round = 0; round < 3; round++) {
      orderly.write(request);
      const [answer] = await once(orderly, 'data');
      t.match(String(answer), /^HTTP\/1\.1 200/);
    }
  },
);

t.test('regression: http: a path that cannot be decoded is refused in the shape of the API', async t => {
  const { base } = await serve(t);
  t.match(await failureOf(await fetch(`${base}/%zz`)), refusal(400, /%zz/));
});
