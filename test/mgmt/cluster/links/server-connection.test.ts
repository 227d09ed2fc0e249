import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { sharedAbortController } from '../../../../src/lib/abort.js';
import { silentLog } from '../../../../src/lib/logger.js';
import { ServedRequests } from '../../../../src/mgmt/cluster/links/served-requests.js';
import { ServerConnection } from '../../../../src/mgmt/cluster/links/server-connection.js';
import { ServerPeer, type ServerPeerParts } from '../../../../src/mgmt/cluster/links/server-peer.js';
import { MGMT_LIMITS } from '../../../../src/mgmt/config/limits.js';
import { CheckHealthCommand, rawBodyOf } from '../../../../src/protocol/index.js';
import { FakeClock } from '../../../../src/testing/fake-clock.js';
import { memoryTransports } from '../../../../src/testing/memory-transport.js';
import { ca } from '../../../helpers/cluster-bench.js';
import { seededRandom } from '../../../helpers/seeded-random.js';

const IDENTITY = { kind: 'server', msid: 2, serial: '4f', issuer: new X509Certificate(ca.chainPem) } as const;

function connection(clock: FakeClock, transport: ConstructorParameters<typeof ServerConnection>[0]) {
  const made = new ServerConnection(transport, IDENTITY, { clock, msid: 1 });
  const told = { ends: [] as string[] };
  made.start({ onControl() {}, onPacket() {}, onEnd: why => void told.ends.push(why) });
  return { made, told };
}

t.test('server connection: both sides that say nothing ping, and stay', async t => {
  const clock = new FakeClock();
  const { agent, server } = memoryTransports();
  const ends = [connection(clock, agent), connection(clock, server)];
  await clock.advance(600_000);
  for (const { told } of ends) t.same(told.ends, []);
  ends[0]?.made.close('enough');
  await clock.advance(0);
  t.same(
    ends.map(({ told }) => told.ends),
    [['enough'], ['closed by the other server']],
  );
  t.equal(clock.pending, 0);
});

t.test('server connection: a silent peer is found within 15 s', async t => {
  const clock = new FakeClock();
  const { agent, server } = memoryTransports();
  server.listen({ onPacket() {}, onClose() {} });
  const { told } = connection(clock, agent);
  await clock.advance(MGMT_LIMITS.serverPingMs + MGMT_LIMITS.serverSilentMs - 1);
  t.same(told.ends, []);
  await clock.advance(1);
  t.match(told.ends, [/silent for 10 s/]);
});

t.test('server connection: a process that stood still does not take its peer for silent', async t => {
  const clock = new FakeClock();
  const { agent, server } = memoryTransports();
  const { told } = connection(clock, agent);
  connection(clock, server);
  await clock.advance(MGMT_LIMITS.serverPingMs - 1);
  clock.stall(60_000);
  await clock.advance(1_000);
  t.same(told.ends, []);
});

t.test('served requests: each is carried out once, in whatever link it comes', async t => {
  const requests = new ServedRequests();
  t.match(requests.arrive(5n), { kind: 'new' });
  t.match(requests.arrive(5n), { kind: 'under way' });
  t.match(requests.arrive(6n), { kind: 'new' });
  requests.answered(6n, Buffer.from('six'), 0);
  t.match(requests.arrive(6n), { kind: 'answered', packet: Buffer.from('six') });
  requests.answered(5n, Buffer.from('five'), MGMT_LIMITS.serverAnswersKeptMs + 1);
  t.match(requests.arrive(6n), { kind: 'forgotten' }, 'it is not carried out again when its answer is too old');
  t.match(requests.arrive(5n), { kind: 'answered' });
  t.match(requests.arrive(4n), { kind: 'forgotten' });
  t.equal(requests.running, 0);
});

t.test('served requests: one that is taken back before it has come is not carried out when it comes', async t => {
  const requests = new ServedRequests();
  t.equal(requests.cancel(5n, 'signal', 'taken back'), 'new');
  t.match(requests.arrive(5n), { kind: 'forgotten' });
  const arrival = requests.arrive(6n);
  t.equal(requests.cancel(6n, 'signal', 'taken back'), 'under way');
  t.match(arrival, { kind: 'new', signals: { signal: { aborted: true }, recall: { aborted: false } } });
  requests.answered(6n, Buffer.from('six'), 0);
  t.equal(requests.cancel(6n, 'signal', 'taken back'), 'answered');
});

t.test('served requests: answers that are kept have a bound in bytes', async t => {
  const requests = new ServedRequests();
  const half = Buffer.alloc(MGMT_LIMITS.serverAnswersKeptBytes / 2);
  for (let sequence = 1n; sequence <= 3n; sequence++) {
    requests.arrive(sequence);
    requests.answered(sequence, half, 0);
  }
  t.match(requests.arrive(1n), { kind: 'forgotten' });
  t.match(requests.arrive(2n), { kind: 'answered' });
});

t.test('server peer: requests that wait have a bound, and without a link an end', async t => {
  const clock = new FakeClock();
  const parts: ServerPeerParts = {
    clock,
    random: seededRandom(1),
    log: silentLog,
    msid: 1,
    runId: 'run',
    handlers: { serve: async () => ({ kind: 'notSent', reason: '' }), onJobs() {} },
    dial: () => Promise.reject(new Error('ECONNREFUSED')),
  };
  const peer = new ServerPeer(2, parts);
  const signals = { signal: sharedAbortController().signal, recall: sharedAbortController().signal };
  const request = { hostId: 7, flags: 0, body: rawBodyOf([CheckHealthCommand.encode({})]) };
  const waiting = Array.from({ length: MGMT_LIMITS.serverRequests }, () => peer.request(request, signals));
  t.match(await peer.request(request, signals), { kind: 'notSent', isFinal: true });
  await clock.advance(MGMT_LIMITS.serverReopenMs);
  const replies = await Promise.all(waiting);
  t.same(
    replies.filter(({ kind }) => kind !== 'notSent'),
    [],
  );
  peer.gone('over');
  t.equal(clock.pending, 0);
});
