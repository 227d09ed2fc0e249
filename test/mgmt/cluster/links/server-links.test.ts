import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import t from 'tap';
import { silentLog } from '../../../../src/lib/logger.js';
import type { ServerWire } from '../../../../src/mgmt/cluster/links/server-dialer.js';
import { ServerLinks } from '../../../../src/mgmt/cluster/links/server-links.js';
import { observeServers } from '../../../../src/mgmt/cluster/observed-servers.js';
import { FakeClock, settle } from '../../../../src/testing/fake-clock.js';
import { ca } from '../../../helpers/cluster-bench.js';
import { seededRandom } from '../../../helpers/seeded-random.js';
import { serverRow } from '../../../helpers/server-row.js';

const NONE = { ownMsid: 1, elapsedMs: undefined, intervalMs: 1_500, thresholdMs: 150_000 };

t.test(
  'regression: server links: one that stops in the moment in which it reaches another server begins no handshake',
  async t => {
    const clock = new FakeClock();
    let reached: (wire: ServerWire) => void = () => {};
    const links = new ServerLinks({
      ...{ clock, random: seededRandom(1), log: silentLog, msid: 1, runId: 'r1' },
      handlers: { serve: async () => ({ kind: 'notSent', reason: 'nobody is here' }), onJobs() {} },
      // The attempt is over already, and its end comes too late.
      dialer: {
        connect: () =>
          new Promise(resolve => {
            reached = resolve;
          }),
      },
      context: () => createSecureContext(),
      judge: () => ({ kind: 'server', msid: 2, serial: '4f', issuer: new X509Certificate(ca.chainPem) }),
      objectionTo: () => undefined,
      servers: () => observeServers([], { ...NONE, rows: [serverRow(2, '192.0.2.2')] }),
      refresh: async () => {},
      isReachable: () => true,
      refused() {},
    });
    links.tellOfJobs(2);
    await settle();
    const stopped = links.stop();
    await settle();
    await stopped;
    const did: string[] = [];
    reached({
      secure: () => {
        did.push('handshake');
        return new Promise(() => {});
      },
      destroy: () => void did.push('destroyed'),
    });
    await settle();
    t.same(did, ['destroyed']);
    t.equal(clock.pending, 0);
  },
);
