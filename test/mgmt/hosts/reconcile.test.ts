import t from 'tap';
import type { KnownHost } from '../../../src/mgmt/hosts/known-hosts.js';
import { CONNECTING_LIMIT_MS, correctionOf, type OwnHost, type ServerLife } from '../../../src/mgmt/hosts/reconcile.js';

const [US, LIVING, DEAD, SILENT] = [1, 2, 3, 4];
const INPUT = {
  msid: US,
  lifeOf: (msid: number) => (msid === DEAD ? 'dead' : msid === SILENT ? 'silent' : 'up') as ServerLife,
  connectingMs: 0,
};

function row(fields: Partial<KnownHost>): KnownHost {
  const identity = { id: 7, uuid: 'u', guid: 'g', name: 'n', zoneId: 1, clusterId: null };
  const assignment = { preferred: null, nextPreferred: null, nextGeneration: null };
  const link = { instanceId: null, linkAddress: null };
  return { ...identity, ...assignment, ...link, status: 'Up', msid: US, epoch: 5, changed: 9, ...fields };
}

function own(fields: Partial<OwnHost> = {}): OwnHost {
  return { link: 'none', isPending: false, epoch: undefined, answeredEpoch: undefined, ...fields };
}

const kind = (host: Partial<KnownHost>, ours: Partial<OwnHost>, connectingMs = 0) =>
  correctionOf(row(host), own(ours), { ...INPUT, connectingMs }).kind;

t.test('reconcile: nothing is done where row and link agree, or where a write is pending', async t => {
  t.equal(kind({}, { link: 'ready', epoch: 5 }), 'none');
  t.equal(kind({ msid: LIVING }, {}), 'none');
  t.equal(kind({ msid: DEAD }, {}), 'none', 'whoever finds a server dead releases its hosts');
  t.equal(kind({ msid: null, status: 'Disconnected' }, {}), 'none');
  for (const link of ['ready', 'arriving', 'none'] as const) {
    t.equal(kind({}, { link, isPending: true }), 'none');
    t.equal(kind({ msid: null, status: 'Connecting' }, { link, isPending: true }, 1e9), 'none');
  }
});

t.test('reconcile: a row that says this server, without a link, is released under its own epoch', async t => {
  t.same(correctionOf(row({}), own(), INPUT), { kind: 'release', epoch: 5 });
  t.equal(kind({}, { link: 'arriving' }), 'none', 'how it ends decides');
});

t.test('reconcile: a Ready link whose row has no living owner is taken back', async t => {
  const ready = { link: 'ready', epoch: 5 } as const;
  t.equal(kind({ msid: null, status: 'Disconnected' }, ready), 'take back');
  t.equal(kind({ msid: null, status: 'Connecting' }, ready), 'take back');
  t.equal(kind({ msid: DEAD }, ready), 'take back');
  t.equal(kind({ epoch: 6 }, ready), 'take back', 'a write of ours that failed was committed');
  t.equal(kind({ msid: SILENT, epoch: 6 }, ready), 'none', 'nobody knows yet');
  t.same(correctionOf(row({ msid: LIVING, epoch: 6 }), own(ready), INPUT), { kind: 'contested', epoch: 6 });
});

t.test(
  'regression: reconcile: a host that another server has taken since is taken back when its agent answers here',
  async t => {
    const ready = { link: 'ready', epoch: 5 } as const;
    for (const msid of [null, DEAD]) {
      t.same(correctionOf(row({ msid, epoch: 6 }), own(ready), INPUT), { kind: 'ask', epoch: 6 });
      t.equal(kind({ msid, epoch: 6 }, { ...ready, answeredEpoch: 5 }), 'ask', 'it has answered before that');
      t.equal(kind({ msid, epoch: 6 }, { ...ready, answeredEpoch: 6 }), 'take back');
    }
  },
);

t.test('reconcile: a row that was read before this server wrote its own epoch says nothing', async t => {
  for (const msid of [null, DEAD, LIVING, US]) t.equal(kind({ msid, epoch: 4 }, { link: 'ready', epoch: 5 }), 'none');
});

t.test(
  'reconcile: a host that has been Connecting for three minutes is Disconnected, if its row is the same',
  async t => {
    const connecting = { msid: null, status: 'Connecting' } as const;
    t.equal(kind(connecting, {}, CONNECTING_LIMIT_MS - 1), 'none');
    t.same(correctionOf(row(connecting), own(), { ...INPUT, connectingMs: CONNECTING_LIMIT_MS }), {
      kind: 'abandon',
      epoch: 5,
      changed: 9,
    });
    t.equal(kind(connecting, { link: 'arriving' }, CONNECTING_LIMIT_MS), 'none');
    t.equal(
      kind({ ...connecting, changed: undefined }, {}, CONNECTING_LIMIT_MS),
      'none',
      'its moment is not known yet',
    );
  },
);
