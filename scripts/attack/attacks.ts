// The attacks. Each goes on for a given time, from the attackers' addresses, against a server on 127.0.0.1.
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { encodeBody, PingRoutingCommand, ShutdownCommand } from '#dist/protocol/index.js';
import { dial, Peer } from './peer.js';

export interface AttackContext {
  readonly port: number;
  readonly apiPort: number;
  readonly durationMs: number;
  /** Whether the time is over. */
  isOver(): boolean;
}

interface Attack {
  /** For the table. */
  readonly what: string;
  /** @returns what was done, in words */
  run(context: AttackContext): Promise<string>;
}

const KB = 1_024;
const MB = KB * KB;
/** Connections that one attack works with at a time. */
const WORKERS = 32;
/** At most so many bytes wait in the attacker for a server that does not read. */
const QUEUED_BYTES = MB;

const PING = [PingRoutingCommand.encode({ hostType: 'Routing', hostId: 1 })];
const BODY_START = '[{"com.cloud.agent.api.PingRoutingCommand":{"hostType":"Routing","hostId":1,"x":';

/** As many values, and as many messages, as a packet may have: both are a kilobyte on the wire. */
const MOST_VALUES = encodeBody(
  [{ type: 'com.cloud.agent.api.PingRoutingCommand', fields: { hostType: 'Routing', x: Array(199_000).fill(1) } }],
  true,
);
const MOST_MESSAGES = encodeBody(Array(1_000).fill(PING[0]), true);

/** What a body can have in the place of x. */
const BOMBS: Readonly<Record<string, string>> = {
  digits: '9'.repeat(60 * KB),
  fraction: `0.${'1'.repeat(60 * KB)}`,
  numbers: `[${'123456789012345678901,'.repeat(2_800)}1]`,
  nesting: '['.repeat(60 * KB),
  objects: `[${'{},'.repeat(20 * KB)}{}]`,
  escaped: `"${'<'.repeat(60 * KB)}"`,
  unicode: `"${'\\u2028'.repeat(10 * KB)}"`,
  keys: `{${Array.from({ length: 5_000 }, (_, i) => `"k${i}":1`).join()}}`,
};

export const ATTACKS = {
  calm: {
    what: 'no attack, to compare with',
    async run({ isOver }) {
      while (!isOver()) await sleep(100);
      return 'nothing';
    },
  },
  'silent-1': {
    what: '5,000 silent connections from one address',
    run: context => silent(context, 5_000, () => 1),
  },
  'silent-200': {
    what: '5,000 silent connections from 200 addresses',
    run: context => silent(context, 5_000, index => index % 200),
  },
  'slow-handshakes': {
    what: '2,000 handshakes at a byte a second, from 200 addresses',
    async run({ port, isOver }) {
      const sockets = await many(2_000, index => dial(port, index % 200), isOver);
      for (const socket of sockets) socket.resume();
      // A record of a ClientHello that is announced and never comes to its end.
      const bytes = Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]);
      let sent = 0;
      while (!isOver()) {
        for (const socket of sockets) socket.write(bytes.subarray(sent, sent + 1));
        sent = Math.min(sent + 1, bytes.length - 1);
        await sleep(1_000);
      }
      return `${sockets.filter(isEnded).length} closed by the server`;
    },
  },
  handshakes: {
    what: `handshakes without end, ${WORKERS} at a time, from ${WORKERS} addresses`,
    run: context =>
      loop(context, 'handshakes', async worker => {
        (await Peer.connect(context.port, worker)).end();
      }),
  },
  garbage: {
    what: 'HTTP, random bytes and broken handshakes on the agents’ port',
    run: context =>
      loop(context, 'connections', async (worker, round) => {
        const socket = await dial(context.port, worker);
        const kinds = [
          'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
          randomBytes(4 * KB),
          Buffer.from([22, 3, 1, 0, 4, 1, 0, 0, 0]),
          Buffer.concat([Buffer.from([22, 3, 1, 64, 0]), randomBytes(16 * KB)]),
        ];
        socket.resume();
        socket.write(kinds[round % kinds.length] ?? '');
        await Promise.race([once(socket, 'close'), sleep(200)]);
        socket.destroy();
      }),
  },
  startups: {
    what: `Startups with guids, pods and clusters of their own, ${WORKERS} at a time`,
    run: context =>
      loop(context, 'Startups', async worker => {
        const peer = await Peer.connect(context.port, worker % 4);
        const name = randomUUID();
        peer.startup({ guid: name, pod: name, cluster: name });
        await peer.receive().finally(() => peer.end());
      }),
  },
  refused: {
    what: 'Startups that are refused, and connections that stay',
    async run(context) {
      const peers: Peer[] = [];
      const done = await loop(context, 'connections', async worker => {
        const peer = await Peer.connect(context.port, worker);
        peers.push(peer);
        peer.startup({ guid: 'refused', dataCenter: 'nowhere' });
        await peer.receive();
      });
      return `${done}, ${peers.filter(({ isClosed }) => isClosed).length} of them closed by the server`;
    },
  },
  'never-ready': {
    what: 'Startups with one guid, of which none becomes Ready, and connections that stay',
    async run(context) {
      const peers: Peer[] = [];
      const done = await loop(context, 'connections', async worker => {
        const peer = await Peer.connect(context.port, worker);
        peers.push(peer);
        peer.startup({ guid: 'never-ready' });
        await peer.receive();
      });
      return `${done}, ${peers.filter(({ isClosed }) => isClosed).length} of them closed by the server`;
    },
  },
  claims: {
    what: 'Startups with the guid of a Ready agent, which answers that it lives',
    async run(context) {
      const owner = await Peer.ready(context.port, 0, 'claimed');
      owner.answerAll();
      const done = await loop(context, 'Startups', async worker => {
        const peer = await Peer.connect(context.port, worker + 1);
        peer.startup({ guid: 'claimed' });
        await peer.receive().finally(() => peer.end());
      });
      const { answered, isClosed } = owner;
      owner.end();
      if (isClosed) throw new Error('the agent has lost its link');
      return `${done}; the agent was asked ${answered} times`;
    },
  },
  'token-guesses-1': {
    what: 'enrolment tokens that are guessed, from one address',
    run: context => loop(context, 'guesses', (_worker, round) => guess(context, 1, round)),
  },
  'token-guesses-200': {
    what: 'enrolment tokens that are guessed, from 200 addresses',
    run: context =>
      loop(context, 'guesses', (worker, round) => guess(context, (round * WORKERS + worker) % 200, round)),
  },
  pings: {
    what: 'pings on 4 Ready links, as fast as they go',
    run: context => flood(context, 4, peer => peer.send(PING)),
  },
  packed: {
    what: 'packets of 200,000 values and of 1,000 pings, gzipped, on 8 Ready links, as fast as they go',
    run(context) {
      let sent = 0;
      return flood(context, 8, peer => {
        const { body, contentLength } = sent++ % 2 === 0 ? MOST_VALUES : MOST_MESSAGES;
        peer.sendBody(body, contentLength);
      });
    },
  },
  tiny: {
    what: 'packets of 40 bytes on one Ready link, up to a million',
    run: context => flood(context, 1, peer => peer.sendBody(Buffer.alloc(0)), 1_000_000),
  },
  deaf: {
    what: '20 Ready links that ask and never read',
    run: context =>
      flood(
        context,
        20,
        peer => peer.send(PING),
        Number.POSITIVE_INFINITY,
        peer => peer.stopReading(),
      ),
  },
  'bombs-new': {
    what: 'bodies of 60 kB that are hard to read, before Startup',
    run: context =>
      loop(context, 'bodies', async (worker, round) => {
        const peer = await Peer.connect(context.port, worker);
        sendBomb(peer, round + worker);
        await Promise.race([peer.receive().catch(() => {}), sleep(1_000)]);
        peer.end();
      }),
  },
  'bombs-ready': {
    what: 'the same on Ready links',
    run: context =>
      loop(context, 'bodies', async (worker, round) => {
        const peer = await Peer.ready(context.port, worker, `bomber-${worker}`);
        for (let body = 0; body < 10 && !peer.isClosed && !context.isOver(); body++) {
          sendBomb(peer, round + worker + body);
          await Promise.race([peer.receive().catch(() => {}), sleep(1_000)]);
        }
        peer.end();
      }),
  },
  texts: {
    what: 'Shutdowns and Startups with texts of 500 kB, with control characters',
    run: context =>
      loop(context, 'texts', async (worker, round) => {
        const text = '\u0000\u202e\u2028<\u001b[2J'.repeat(55 * KB);
        if (round % 2 === 0) {
          const peer = await Peer.ready(context.port, worker, `writer-${worker}`);
          peer.send([ShutdownCommand.encode({ reason: text, detail: text })]);
          await Promise.race([peer.receive().catch(() => {}), sleep(1_000)]);
          peer.end();
        } else {
          const peer = await Peer.connect(context.port, worker);
          peer.startup({ guid: `writer-${worker}`, name: text, version: text, pod: text });
          await Promise.race([peer.receive().catch(() => {}), sleep(1_000)]);
          peer.end();
        }
      }),
  },
  'api-silent': {
    what: '1,000 connections to the API, silent or with half a head',
    async run({ apiPort, isOver }) {
      const sockets = await many(1_000, index => dial(apiPort, index % 200), isOver);
      for (const [index, socket] of sockets.entries()) {
        socket.resume();
        if (index % 2 === 0) socket.write('GET /client/api?command=listHosts HTTP/1.1\r\nHost: x\r\nX-Slow: ');
      }
      while (!isOver()) {
        for (const [index, socket] of sockets.entries()) if (index % 2 === 0) socket.write('x');
        await sleep(1_000);
      }
      return `${sockets.filter(isEnded).length} closed by the server`;
    },
  },
  'api-wrong': {
    what: `requests with a wrong signature, ${WORKERS} at a time, from the operator’s own address`,
    run: context =>
      loop(context, 'requests', async () => {
        const body = `command=listHosts&apiKey=wrong&signature=wrong&keyword=${'x'.repeat(8 * KB)}`;
        const url = `http://127.0.0.1:${context.apiPort}/client/api`;
        const response = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body,
        });
        await response.text();
      }),
  },
  'api-pipelined': {
    what: 'connections to the API with 1,000 requests in one segment',
    run: context =>
      loop(context, 'connections', async worker => {
        const socket = await dial(context.apiPort, worker);
        socket.resume();
        socket.write(
          'GET /client/api?command=listHosts&apiKey=x&signature=x HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1_000),
        );
        await Promise.race([once(socket, 'close'), sleep(1_000)]);
        socket.destroy();
      }),
  },
  'api-garbage': {
    what: 'requests to the API that cannot be read, of clients that do not close their side',
    async run(context) {
      const sockets: Socket[] = [];
      const done = await loop(context, 'requests', async (worker, round) => {
        const socket = await dial(context.apiPort, worker);
        sockets.push(socket);
        socket.resume();
        const form = Array.from({ length: 10_000 }, (_, i) => `p${i}=`).join('&');
        const head = 'POST /client/api HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n';
        const kinds = [
          'nonsense\r\n\r\n',
          randomBytes(2 * KB),
          `GET /${'x'.repeat(20 * KB)} HTTP/1.1\r\n\r\n`,
          `${head}Content-Length: ${form.length}\r\n\r\n${form}`,
        ];
        socket.write(kinds[round % kinds.length] ?? '');
        await Promise.race([once(socket, 'end'), once(socket, 'close'), sleep(1_000)]);
      });
      return `${done}, ${sockets.length} of whose connections stay open on the client’s side`;
    },
  },
} as const satisfies Record<string, Attack>;

export type AttackName = keyof typeof ATTACKS;

/** A Startup with a token that nobody has made; the server answers it and closes. */
async function guess({ port }: AttackContext, from: number, round: number): Promise<void> {
  const peer = await Peer.connect(port, from);
  const [secret, fingerprint] = [randomBytes(32), randomBytes(32)].map(bytes => bytes.toString('base64url'));
  const muster = { instanceId: randomUUID(), version: '0.1.0', token: `${secret}.${fingerprint}` };
  peer.startup({ guid: `guess-${round}`, muster });
  await peer.receive().finally(() => peer.end());
}

async function silent(
  { port, isOver }: AttackContext,
  count: number,
  from: (index: number) => number,
): Promise<string> {
  const sockets = await many(count, index => dial(port, from(index)), isOver);
  for (const socket of sockets) socket.resume();
  while (!isOver()) await sleep(100);
  return `${sockets.length} opened, ${sockets.filter(isEnded).length} closed by the server`;
}

/** Opens so many, 100 at a time, as long as there is time. Those that fail are left out. */
async function many(count: number, open: (index: number) => Promise<Socket>, isOver: () => boolean): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let first = 0; first < count && !isOver(); first += 100) {
    const some = Array.from({ length: Math.min(100, count - first) }, (_, i) => open(first + i));
    for (const result of await Promise.allSettled(some)) if (result.status === 'fulfilled') sockets.push(result.value);
  }
  return sockets;
}

/** Does the same again and again, `WORKERS` at a time. What fails is counted: the server may refuse. */
async function loop(
  { isOver }: AttackContext,
  unit: string,
  act: (worker: number, round: number) => Promise<void>,
): Promise<string> {
  let done = 0;
  let failed = 0;
  const work = async (worker: number) => {
    for (let round = 0; !isOver(); round++) {
      try {
        await act(worker, round);
        done++;
      } catch {
        failed++;
        // A server that refuses at once would be asked in an endless loop without any turn for timers.
        await sleep(1);
      }
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)));
  return `${number(done)} ${unit}${failed > 0 ? `, ${number(failed)} refused` : ''}`;
}

/** Sends on Ready links, as much as the server takes. */
async function flood(
  { port, isOver }: AttackContext,
  links: number,
  send: (peer: Peer) => void,
  most = Number.POSITIVE_INFINITY,
  begin: (peer: Peer) => void = peer => peer.dropAnswers(),
): Promise<string> {
  let sent = 0;
  const work = async (worker: number) => {
    const peer = await Peer.ready(port, worker, `flooder-${worker}`);
    begin(peer);
    while (!isOver() && !peer.isClosed && sent < most) {
      for (let i = 0; i < 100 && peer.queuedBytes < QUEUED_BYTES; i++, sent++) send(peer);
      await sleep(1);
    }
    return peer;
  };
  const peers = await Promise.all(Array.from({ length: links }, (_, worker) => work(worker)));
  while (!isOver()) await sleep(100);
  return `${number(sent)} packets, ${peers.filter(({ isClosed }) => isClosed).length} links closed by the server`;
}

/** By the server: the attacker's own end is open all the time. */
function isEnded({ readableEnded, destroyed }: Socket): boolean {
  return readableEnded || destroyed;
}

function sendBomb(peer: Peer, index: number): void {
  const names = Object.keys(BOMBS);
  const bomb = BOMBS[names[index % (names.length + 1)] ?? ''];
  if (bomb !== undefined) peer.sendBody(Buffer.from(`${BODY_START}${bomb}}}]`));
  else {
    gzipBomb ??= gzipSync(Buffer.alloc(GZIP_BOMB_LENGTH, '[{},'));
    peer.sendBody(gzipBomb, GZIP_BOMB_LENGTH);
  }
}

/** It unpacks to a thousand times its length. */
const GZIP_BOMB_LENGTH = 16 * MB;
let gzipBomb: Buffer | undefined;

function number(value: number): string {
  return value.toLocaleString('en-US');
}
