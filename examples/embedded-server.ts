// A management server inside a program that has an HTTP face of its own:
//
//     node embedded-server.js conf/mgmt.properties 9000
//     curl http://127.0.0.1:9000/hosts              all hosts, and which server has each
//     curl http://127.0.0.1:9000/hosts/kvm-1/stats  asks the agent of a host, through whichever server has it
//     curl -N http://127.0.0.1:9000/events          hosts that come to this server, and leave it, as server-sent events
//
// Whoever reaches this face may ask: it is on loopback, for a program that knows who its users are.
import { createServer, type ServerResponse } from 'node:http';
import { encodeJson, GetHostStatsAnswer, GetHostStatsCommand } from 'muster';
import { startManagementServer } from 'muster/mgmt';

const [file = 'conf/mgmt.properties', port = '9000'] = process.argv.slice(2);
const MOST_LISTENERS = 100;
const ASK_SECONDS = 20;

const stopping = new AbortController();
const server = await startManagementServer({
  file,
  stopping: stopping.signal,
  onShutdown: () => void stop(),
  onFatal: () => {
    process.exitCode = 1;
    void stop('SIGINT');
  },
});

const listeners = new Set<ServerResponse>();
for (const name of ['ready', 'lost', 'moved'] as const) {
  server.on(name, event => {
    const text = `event: ${name}\ndata: ${JSON.stringify(event)}\n\n`;
    // Who does not read loses the connection, and no memory is spent on him.
    for (const listener of listeners) if (!listener.write(text)) listener.destroy();
  });
}

const face = createServer((request, response) => {
  const [, where, name, what, ...more] = (request.url ?? '').split('?', 1)[0]?.split('/') ?? [];
  if (request.method !== 'GET' || more.length > 0) reply(response, 404, { error: 'there is no such thing' });
  else if (where === 'hosts' && name === undefined) reply(response, 200, server.hosts());
  else if (where === 'hosts' && what === 'stats') void stats(response, name ?? '');
  else if (where === 'events' && name === undefined) listen(response);
  else reply(response, 404, { error: 'there is no such thing' });
});

/** Each outcome has a status of its own: the caller has to know whether the agent was asked. */
async function stats(response: ServerResponse, name: string): Promise<void> {
  const host = server.hosts().find(one => one.name === name || String(one.id) === name);
  if (host === undefined) return reply(response, 404, { error: `there is no host ${name}` });
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const question = GetHostStatsCommand.encode({ wait: ASK_SECONDS });
  const outcome = await server.send(host.id, [question], { wait: ASK_SECONDS, signal: gone.signal });
  if (outcome.kind === 'answered') {
    const [answer] = outcome.messages.filter(GetHostStatsAnswer.is).map(GetHostStatsAnswer.decode);
    return reply(response, answer?.result === true ? 200 : 502, answer?.hostStats ?? { error: answer?.details });
  }
  if (outcome.kind === 'unsupported') return reply(response, 501, { error: 'its agent does not know the command' });
  reply(response, outcome.kind === 'unknown' ? 504 : 503, { error: outcome.reason });
}

function listen(response: ServerResponse): void {
  if (listeners.size >= MOST_LISTENERS) {
    reply(response, 503, { error: 'too many listen already' });
    return;
  }
  listeners.add(response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' }));
  response.on('close', () => listeners.delete(response)).flushHeaders();
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  // Numbers from the wire may be such that JSON.stringify would change them.
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${encodeJson(body)}\n`);
}

async function stop(signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM'): Promise<void> {
  face.close();
  face.closeAllConnections();
  await server.stop(signal);
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal));
face.listen(Number(port), '127.0.0.1', () => console.log(`Listening on ${JSON.stringify(face.address())}`));
