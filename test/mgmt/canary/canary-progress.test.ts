import t from 'tap';
import { canaryCounts, canaryDials, canaryHost, objectionTo } from '../../../src/mgmt/canary/canary-progress.js';

const LIST = {
  ...{ hosts: ['192.0.2.3', '192.0.2.1'], algorithm: 'static', checkIntervalSeconds: 0, avoid: [] },
  ...{ configurationVersion: 9, canary: 8 },
};
const NONE = {
  ...{ total: 0, waiting: 0, taken: 0, answered: 0, failed: 0, unsupported: 0, refused: 0, cancelled: 0, unknown: 0 },
  answerLength: 0,
};
const dials = (more: Partial<typeof NONE>) => canaryDials('j', { ...NONE, ...more }, []);

t.test(
  'canary-progress: a host is listed when it has the list of the canary, and arrived when it is at its head',
  async t => {
    const row = { msHostList: '192.0.2.3,192.0.2.1@static', status: 'Up' } as const;
    const hosts = [
      canaryHost(row, LIST, 8, '192.0.2.3'),
      canaryHost(row, LIST, 8, '192.0.2.1'),
      canaryHost({ ...row, status: 'Disconnected' }, LIST, 8, undefined),
      canaryHost({ ...row, msHostList: '192.0.2.1,192.0.2.3@static' }, LIST, 8, '192.0.2.3'),
      // This server does not know of the canary yet.
      canaryHost(row, { ...LIST, canary: 7 }, 8, '192.0.2.3'),
      canaryHost({ ...row, msHostList: null }, LIST, 8, '192.0.2.3'),
    ];
    t.same(canaryCounts(hosts), { hosts: 6, connected: 5, listed: 3, arrived: 1 });
  },
);

t.test('canary-progress: what speaks against it', async t => {
  const none = { arrived: 0 };
  t.match(objectionTo(none, undefined), /were not asked to dial/);
  t.match(objectionTo(none, dials({ waiting: 2, taken: 1 })), /^3 hosts have not ended/);
  t.match(objectionTo(none, dials({ answered: 3, failed: 1, taken: 5 })), /^1 host has failed to reach/);
  t.match(objectionTo(none, dials({ answered: 3, unknown: 2 })), /^2 hosts have failed/);
  t.match(objectionTo(none, dials({ refused: 3 })), /^none of its hosts has dialled/);
  t.match(objectionTo(none, dials({ unsupported: 3 })), /^none of its hosts has dialled/);
  t.equal(objectionTo({ arrived: 1 }, dials({ unsupported: 3 })), undefined, 'what cannot dial has come');
  t.equal(objectionTo(none, dials({ answered: 1, refused: 3, unsupported: 4 })), undefined);
});
