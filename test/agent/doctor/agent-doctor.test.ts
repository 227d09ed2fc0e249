import t, { type Test } from 'tap';
import {
  CancelCommand,
  DoctorAnswer,
  DoctorCommand,
  FLAG,
  LIMITS,
  type Message,
  type Packet,
  SetupMSListCommand,
  StartupRoutingCommand,
  secureContext,
  withCommandId,
} from '../../../src/protocol/index.js';
import { settle } from '../../../src/testing/fake-clock.js';
import { type Bench, type BenchOptions, bench, passes } from '../../helpers/agent-bench.js';
import { plainCertificate } from '../../helpers/certificates.js';

const HOUR_MS = 3_600_000;

/** An agent that is up on the first of its servers. */
async function up(t: Test, options: BenchOptions = {}): Promise<Bench> {
  const made = await bench(t, options);
  made.agent.start();
  await made.upOn(made.a);
  return made;
}

/** Has the agent look, with time going on as far as it takes. */
async function ask({ a, clock }: Bench, commands: readonly Message[], flags: number = FLAG.stopOnError) {
  let answer: Packet | undefined;
  const asked = a.last.send(commands, flags).then(packet => {
    answer = packet;
  });
  await passes(clock, () => answer !== undefined, HOUR_MS);
  await asked;
  return read(answer);
}

function read(packet: Packet | undefined) {
  const [message] = packet?.messages ?? [];
  if (message === undefined) throw new Error('no answer');
  const { result, details, findings = [] } = DoctorAnswer.decode(message);
  return { type: message.type, result, details, findings };
}

const look = (hosts?: readonly string[], wait = 0) => [DoctorCommand.encode({ hosts, wait })];

t.test('doctor: from afar the agent looks at its files and dials every host of its list, beside its link', async t => {
  const made = await up(t);
  const { a, b, c, agent } = made;
  const startup = a.last.of(StartupRoutingCommand)[0]?.messages[0];
  t.ok(startup && StartupRoutingCommand.decode(startup).muster?.capabilities?.includes('doctor'));
  const { type, result, details, findings } = await ask(made, look());
  t.equal(type, DoctorAnswer.type);
  t.match({ result, details }, { result: true, details: /^\S+cloud\.ca\.crt, CN=muster.*: in date|all is well|host/ });
  t.match(findings[0], { level: 'ok', what: /agent\.properties$/, found: 'readable and writable' });
  t.match(
    findings.slice(-3).map(({ what, found }) => `${what}: ${found}`),
    [
      /^a port 8250: 10\.0\.0\.1: takes agents, \d+ ms, certificate CN=/,
      /^b port 8250: 10\.0\.0\.2: takes/,
      /^c port 8250: 10\.0\.0\.3: takes/,
    ],
  );
  t.equal(agent.state.phase.kind, 'up');
  t.equal(a.ready.length, 1);
  await settle();
  for (const server of [a, b, c]) {
    const dial = server.links.at(-1);
    t.not(dial?.closed, undefined, 'the dial has ended');
    t.strictSame(dial?.requests, [], 'without a word');
  }
});

t.test('doctor: with hosts it dials these alone, in their order, and nothing else', async t => {
  const made = await up(t);
  made.c.behaviour = 'refuse';
  const { result, details, findings } = await ask(made, look(['c', 'B', 'no host', 'b']));
  t.equal(result, false);
  t.match(details, /^no host: /);
  t.match(
    findings.map(({ level, what }) => `${level} ${what}`),
    ['error no host', 'error c port 8250', 'ok b port 8250'],
  );
  t.match(findings[1], { found: /no connection: .*ECONNREFUSED/, remedy: /firewall/ });
  t.match(await ask(made, look([])), { result: true, findings: [], details: 'there was nothing to look at' });
});

t.test('doctor: a server of another CA is an error, and is neither pinned nor trusted', async t => {
  const made = await up(t);
  made.b.context = secureContext(await plainCertificate('theirs'));
  const before = made.agent.state;
  const { result, details, findings } = await ask(made, look(['b']));
  t.match({ result, details }, { result: false, details: /does not verify against the known CA/ });
  t.match(findings, [{ level: 'error', remedy: /right server/ }]);
  t.equal(made.agent.state, before, 'the agent has not heard of it');
});

t.test('doctor: what the agent was given since its start counts, not its file alone', async t => {
  const made = await up(t, { overrides: { host: 'a' } });
  await made.a.last.send([SetupMSListCommand.encode({ msList: ['a', 'c'], avoidMsList: [], lbAlgorithm: 'static' })]);
  const { findings } = await ask(made, look());
  t.strictSame(
    findings.map(({ what }) => what).filter(what => what?.endsWith('8250')),
    ['a port 8250', 'c port 8250'],
  );
});

t.test('doctor: hosts of which nothing is known in time are errors, and their dials end', async t => {
  const made = await up(t);
  made.b.behaviour = 'mute';
  const from = made.clock.now();
  const asked = ask(made, look(['b', 'c'], 7));
  const { result, findings } = await asked;
  t.equal(result, false);
  t.match(findings, [
    { level: 'error', what: 'b port 8250', found: 'no result within 7 s' },
    { level: 'ok', what: 'c port 8250' },
  ]);
  t.equal(Math.round(made.clock.now() - from), 7_000);
  const { findings: long } = await ask(made, look(['b'], 600));
  t.match(long, [{ level: 'error', found: /handshake/i }], 'the handshake has its own limit');
});

t.test('doctor: a look can be cancelled, and leaves nothing behind', async t => {
  const made = await up(t);
  for (const behaviour of ['mute', 'hang'] as const) {
    made.b.behaviour = behaviour;
    const timers = made.clock.pending;
    const asked = made.a.last.send(
      withCommandId(look(['b']), { commandId: `job/${behaviour}`, expiresInMs: 60_000 }),
      0,
    );
    await settle();
    t.ok(made.clock.pending > timers);
    const cancel = CancelCommand.encode({ sequence: made.a.last.sequence, reason: 'cancelled' });
    made.a.last.link.post([cancel], { flags: FLAG.control, mgmtId: 1001n, agentId: 7n, via: 7n });
    t.match(read(await asked), {
      type: DoctorAnswer.type,
      result: false,
      details: /cancelled by the server/,
      findings: [],
    });
    await settle();
    t.equal(made.clock.pending, timers, `${behaviour}: no timer is left`);
  }
});

t.test('doctor: one look at a time; the next ones wait for their turn, and too many are refused', async t => {
  const made = await up(t);
  const { a, clock, b } = made;
  const answers: Packet[] = [];
  const all = Array.from({ length: LIMITS.doctorsWaiting + 2 }, () =>
    a.last.send(look(['b']), FLAG.stopOnError).then(packet => answers.push(packet)),
  );
  await settle();
  t.match(answers.map(read), [{ result: false, details: /too many doctors/ }]);
  t.equal(b.connections, 1, 'one dials');
  await passes(clock, () => answers.length === all.length, HOUR_MS);
  await Promise.all(all);
  t.equal(answers.map(read).filter(({ result }) => result).length, LIMITS.doctorsWaiting + 1);
  t.equal(b.connections, LIMITS.doctorsWaiting + 1);
});

t.test('doctor: of many hosts few are dialled at the same time', async t => {
  const hosts = Array.from({ length: 40 }, (_, i) => `h${i}`);
  const made = await up(t, { names: Object.fromEntries(hosts.map(host => [host, '10.0.0.2'])) });
  const asked = ask(made, look(hosts));
  await settle();
  t.equal(made.b.connections, LIMITS.doctorDials);
  const { result, findings } = await asked;
  t.equal(result, true);
  t.equal(findings.length, hosts.length);
});

t.test('doctor: the agent stops while a look is under way', async t => {
  const made = await up(t);
  made.b.behaviour = 'mute';
  void made.a.last.send(look(['b']), 0).catch(() => {});
  await settle();
  await made.agent.stop();
  await settle();
  t.equal(made.clock.pending, 0);
});
