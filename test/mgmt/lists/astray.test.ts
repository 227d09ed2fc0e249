import t from 'tap';
import { type ObservedServer, observeServers } from '../../../src/mgmt/cluster/observed-servers.js';
import { astrayReason } from '../../../src/mgmt/lists/astray.js';
import type { ServerRow } from '../../../src/mgmt/store/store.js';
import { serverRow } from '../../helpers/server-row.js';

/** Servers of which each was heard. */
function heard(...rows: readonly ServerRow[]): readonly ObservedServer[] {
  const input = { ownMsid: 1, elapsedMs: 1_500, intervalMs: 1_500, thresholdMs: 150_000 };
  const before = observeServers([], { ...input, rows: rows.map(one => ({ ...one, beat: one.beat - 1 })) });
  return observeServers(before, { ...input, rows });
}

const list = (hosts: readonly string[], more = {}) => ({ hosts, avoid: [], checkIntervalSeconds: 60, ...more });

t.test('astray: why an agent is not on its preferred server', async t => {
  const servers = heard(serverRow(1, 'a'), serverRow(2, 'b'), serverRow(3, 'c', { runId: null, state: 'Down' }));
  t.equal(astrayReason(list(['a', 'b']), 'a', servers), undefined);
  t.equal(astrayReason(list([]), 'a', servers), undefined, 'CloudStack’s own lists are not known');
  t.equal(astrayReason(list(['b', 'a']), 'a', servers), 'returning');
  t.equal(astrayReason(list(['b', 'a'], { checkIntervalSeconds: 0 }), 'a', servers), 'no-check');
  t.equal(astrayReason(list(['b', 'a'], { avoid: ['b'] }), 'a', servers), 'avoided');
  t.equal(astrayReason(list(['c', 'a']), 'a', servers), 'down');
  t.equal(astrayReason(list(['d', 'a']), 'a', servers), 'unknown-server');
});
