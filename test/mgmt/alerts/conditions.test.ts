import t from 'tap';
import { ALERT_KINDS } from '../../../src/api/words.js';
import { changesOf, type Facts, judge, NOTHING_WATCHED, watch } from '../../../src/mgmt/alerts/conditions.js';
import type { ObservedServer } from '../../../src/mgmt/cluster/observed-servers.js';

const MINUTE = 60_000;
const PERIODS = { nowhereMs: 5 * MINUTE, drainMs: 60 * MINUTE };

const server = (msid: number, more: Partial<ObservedServer> = {}): ObservedServer => ({
  ...{
    id: msid,
    uuid: `u${msid}`,
    msid,
    name: `ms${msid}`,
    version: '1',
    serviceIp: `10.0.0.${msid}`,
    servicePort: 8250,
  },
  ...{ osDistribution: null, kernelVersion: null, lastBootTime: null, state: 'Up', stateSince: 0, runId: `r${msid}` },
  ...{ joined: true, beat: 1, started: 0, lastUpdate: 0, silentMs: 0, isHeard: true, isSilent: false, isDead: false },
  ...({} as ObservedServer),
  ...more,
});

const facts = (more: Partial<Facts> = {}): Facts => ({
  ownMsid: 1,
  servers: [server(1), server(2)],
  nowhere: new Map(),
  ending: [],
  fights: [],
  ...more,
});

/** What is held after it was seen first at `since` minutes, and again at `now`. */
function held(seen: Facts, since = 0, now = since) {
  const first = watch(NOTHING_WATCHED(0), seen, since * MINUTE);
  const watched = watch(first, seen, now * MINUTE);
  return judge(seen, watched, PERIODS, now * MINUTE);
}
const subjects = (seen: Facts, since = 0, now = since) => held(seen, since, now).holding.map(({ subject }) => subject);

t.test('alerts: a server that dies is down; one that was stopped in good order is not', async t => {
  t.same(subjects(facts({ servers: [server(1), server(2, { isSilent: true })] })), ['server-down:2']);
  t.same(subjects(facts({ servers: [server(1), server(2, { isDead: true, state: 'Down' })] })), ['server-down:2']);
  t.same(subjects(facts({ servers: [server(1), server(2, { isDead: true, state: 'Down', runId: null })] })), []);
});

t.test('alerts: one server judges for the cluster, and the next one when that is silent', async t => {
  const servers = [server(1, { isSilent: true }), server(2), server(3)];
  t.same(subjects(facts({ servers, ownMsid: 2 })), ['server-down:1']);
  t.same(subjects(facts({ servers, ownMsid: 3 })), []);
  t.notOk(held(facts({ servers, ownMsid: 3 })).isJudged('server-down:1'), 'nor does another one clear');
});

t.test('alerts: agents are nowhere for long, and named', async t => {
  const nowhere = new Map(Array.from({ length: 7 }, (_, i) => [i, `kvm-${i}`]));
  t.same(subjects(facts({ nowhere }), 0, 4), []);
  const { holding } = held(facts({ nowhere }), 1, 6);
  t.match(holding, [{ subject: 'agents-nowhere', description: /for 5 min or longer: kvm-0, .*kvm-4, and 2 more$/ }]);
  const others = watch(watch(NOTHING_WATCHED(0), facts({ nowhere }), 0), facts(), MINUTE);
  const again = watch(others, facts({ nowhere }), 2 * MINUTE);
  t.same(judge(facts({ nowhere }), again, PERIODS, 6 * MINUTE).holding, [], 'who was back begins anew');
  t.notOk(held(facts(), 0, 4).isJudged('agents-nowhere'), 'a server that has just begun to look clears nothing');
  t.ok(held(facts(), 0, 6).isJudged('agents-nowhere'));
});

t.test('alerts: a drain that does not end', async t => {
  const servers = [server(1), server(2, { state: 'PreparingForMaintenance' })];
  t.same(subjects(facts({ servers }), 0, 59), []);
  t.match(held(facts({ servers }), 0, 60).holding, [
    { subject: 'drain-stuck:2', description: /10\.0\.0\.2 is Preparing/ },
  ]);
});

t.test('alerts: certificates and fights are judged by the server that sees them', async t => {
  const ending = [{ hostName: 'kvm-1', notAfter: Date.UTC(2026, 11, 1) }];
  const fights = ['Two agents have the guid g'];
  const seen = facts({ ownMsid: 2, ending, fights });
  t.match(held(seen).holding, [
    { subject: /^guid-fight:2:[0-9a-f]{16}$/, description: fights[0] },
    { subject: 'certificates-expiring:2', description: /agents of 10\.0\.0\.2 .* first on 2026-12-01: kvm-1$/ },
  ]);
  t.ok(held(seen).isJudged('guid-fight:2:0'));
  t.notOk(held(seen).isJudged('guid-fight:1:0'));
  t.notOk(held(facts({ ownMsid: 2, ending: undefined })).isJudged('certificates-expiring:2'), 'nobody has looked yet');
  const gone = facts({ servers: [server(1), server(2, { isDead: true })] });
  t.ok(held(gone).isJudged('certificates-expiring:2'), 'of one that is dead');
  t.ok(held(gone).isJudged('certificates-expiring:9'), 'of one that was removed');
});

t.test('alerts: raised and cleared once; what cannot be judged stays', async t => {
  const judgement = {
    holding: [
      { subject: 'a', description: 'A' },
      { subject: 'b', description: 'B' },
    ],
    isJudged: (subject: string) => subject !== 'd',
  };
  t.same(changesOf(['b', 'c', 'd'], judgement), { raise: [{ subject: 'a', description: 'A' }], clear: ['c'] });
  t.equal(ALERT_KINDS.length, 6);
});
