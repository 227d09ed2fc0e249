import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { certificate } from './certificate.mjs';
import { measureCodec } from './codec.mjs';
import { KINDS, PACKET_BYTES } from './kinds.mjs';

/** `npm run bench`, or `npm run bench -- --quick` to see that it runs. docs/bench.md says what the columns mean. */
const QUICK = process.argv.includes('--quick');
const CODEC_MS = QUICK ? 20 : 150;
const RATE_MS = QUICK ? 100 : 500;
/** Rates are measured in turns, and the best of each counts: what else the machine does hits all kinds alike. */
const ROUNDS = QUICK ? 1 : 4;
const LINKS = QUICK ? 50 : 500;

const credentials = await certificate();
console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}${QUICK ? ', --quick' : ''}\n`);

const round = value => Math.round(value).toLocaleString('en-US');
const ratio = (value, base) => (base ? `${(value / base).toFixed(2)} ×` : '');

table(
  ['codec', 'bytes', 'decode/s', 'of JSON.parse', 'encode/s', 'of JSON.stringify'],
  measureCodec(ROUNDS, CODEC_MS).map(({ name, bytes, decode, parse, encode, stringify }) => [
    name,
    round(bytes),
    round(decode),
    ratio(decode, parse),
    round(encode),
    ratio(encode, stringify),
  ]),
);

const rates = [];
for (const kind of Object.keys(KINDS)) rates.push({ kind, ...(await pair(kind)), handshakes: 0, one: 0, many: 0 });
for (let turn = 0; turn < ROUNDS; turn++) {
  for (const row of rates) {
    const { kind, port, client } = row;
    const measure = (what, more) => client.do(what, { kind, port, ms: RATE_MS, ...more });
    row.handshakes = Math.max(row.handshakes, await measure('handshakes'));
    row.one = Math.max(row.one, await measure('echoes', { inFlight: 1 }));
    row.many = Math.max(row.many, await measure('echoes', { inFlight: 32 }));
  }
}
for (const { server, client } of rates) {
  server.stop();
  client.stop();
}
compare(`connections, ${PACKET_BYTES}-byte packets`, rates, {
  'handshakes/s': 'handshakes',
  'echoes/s, 1 in flight': 'one',
  'echoes/s, 32 in flight': 'many',
});

const memory = [];
for (const kind of Object.keys(KINDS)) {
  const { server, client, port } = await pair(kind);
  // What is loaded and compiled once is not what a link costs.
  await client.do('connect', { kind, port, count: 20 });
  await client.do('useAll');
  const before = [await server.do('memory'), await client.do('memory')];
  await client.do('connect', { kind, port, count: LINKS });
  await client.do('useAll');
  const after = [await server.do('memory'), await client.do('memory')];
  const perLink = (side, what) => (after[side][what] - before[side][what]) / LINKS / 1024;
  memory.push({
    kind,
    serverRss: perLink(0, 'rss'),
    serverHeap: perLink(0, 'heap'),
    clientRss: perLink(1, 'rss'),
    clientHeap: perLink(1, 'heap'),
  });
  server.stop();
  client.stop();
}
compare(`memory of one of ${LINKS} idle links, kB`, memory, {
  'server RSS': 'serverRss',
  'server heap': 'serverHeap',
  'client RSS': 'clientRss',
  'client heap': 'clientHeap',
});

/** A server and a client of one kind, each in a fresh process. */
async function pair(kind) {
  const [server, client] = [peer(), peer()];
  return { server, client, port: await server.do('listen', { kind, credentials }) };
}

function peer() {
  const child = fork(new URL('./peer.mjs', import.meta.url), { execArgv: ['--expose-gc'] });
  let id = 0;
  return {
    async do(what, args) {
      const own = ++id;
      child.send({ id: own, what, args });
      for (;;) {
        const [answer] = await once(child, 'message');
        if (answer.error !== undefined) throw new Error(answer.error);
        if (answer.id === own) return answer.result;
      }
    },
    stop: () => child.disconnect(),
  };
}

/** Each column with its ratio to node:tls and to node:net of the same run. */
function compare(title, rows, columns) {
  const of = kind => rows.find(row => row.kind === kind);
  table(
    [title, ...Object.keys(columns).flatMap(name => [name, 'of tls', 'of net'])],
    rows.map(row => [
      row.kind,
      ...Object.values(columns).flatMap(key => [
        round(row[key]),
        row.kind === 'node:net' ? '' : ratio(row[key], of('node:tls')[key]),
        ratio(row[key], of('node:net')[key]),
      ]),
    ]),
  );
}

function table(head, rows) {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map(row => row[column].length)));
  const line = row =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd();
  console.log([line(head), widths.map(width => '─'.repeat(width)).join('  '), ...rows.map(line), ''].join('\n'));
}
