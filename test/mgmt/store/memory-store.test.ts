import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { MemoryStore } from '../../../bench/memory-store.js';
import { systemClock } from '../../../src/lib/clock.js';
import { silentLog } from '../../../src/lib/logger.js';
import { systemRandom } from '../../../src/lib/random.js';
import { openStore } from '../../../src/mgmt/open-store.js';
import type { AgentStore } from '../../../src/mgmt/store/agent-store.js';
import type { AgentRow, AssignmentAttempt, Store } from '../../../src/mgmt/store/store.js';
import { hostDescription } from '../../helpers/host-description.js';
import { registerHost } from '../../helpers/one-host.js';
import { testFolder } from '../../helpers/scratch.js';
import { seededRandom } from '../../helpers/seeded-random.js';

type Compared = AgentStore & Pick<Store, 'updateConfiguration' | 'beginAssignment' | 'writeAssignments'>;

const SEED = Number(process.env.MUSTER_SEED ?? 20261122);
const RUNS = Number(process.env.MUSTER_RUNS ?? 400);

t.test(
  `memory store: the one that tests lean on answers as the real one does (seed ${SEED}, ${RUNS} runs)`,
  async t => {
    const env = { clock: systemClock, random: systemRandom, log: silentLog, thread: 'same' } as const;
    const real = await openStore(`sqlite:${join(testFolder(t), 'muster.db')}`, env);
    const memory = new MemoryStore();
    const random = seededRandom(SEED);
    const zones = [1, 2];
    for (const store of [real, memory]) {
      await store.zoneId('one');
      await store.zoneId('two');
      await store.initialiseConfiguration(new Map([['host', 'a']]));
    }

    let attempt: AssignmentAttempt = { generation: 1, step: 1 };
    for (const store of [real, memory]) t.strictSame(await store.beginAssignment(), { begun: true, attempt });

    /** One call, drawn from all that the server makes. */
    const draw = (): ((store: Compared) => Promise<unknown>) => {
      const id = 1 + random.int(8);
      const guid = `g${random.int(8)}`;
      const zone = zones[random.int(2)] ?? 1;
      const msid = 1 + random.int(2);
      const epoch = random.int(4);
      const at = random.int(1_000);
      const { version, assignmentGeneration } = memory.data;
      const current = attempt;
      switch (random.int(15)) {
        case 0:
          return store => registerHost(store, hostDescription(guid, zone)).then(({ host }) => comparable(host));
        case 1:
          return store =>
            store.hostsReady([
              { id, msid, at, msHostList: null, instanceId: `p${epoch % 2}`, linkNumber: at % 5 || null },
            ]);
        case 2: {
          const lost = { id, msid: random.int(3) ? msid : null, epoch, at, reason: 'gone' };
          return store => store.hostsDisconnected([lost]);
        }
        case 3:
          return at > 900
            ? store => store.releaseHosts(msid, { at, reason: 'stop', cause: 'server-down' })
            : store => store.zoneHostIds(zone);
        case 4:
          return store => store.zoneHostIds(zone, id);
        case 5:
          return store => store.hosts(id).then(hosts => hosts.map(comparable));
        case 6:
          return async store => {
            const { canary, ...others } = await store.configuration();
            const state = await store.configurationState();
            return { ...others, state, canary: canary && { ...canary, created: 0 } };
          };
        case 8:
          return store => store.assignHosts([{ id, preferred: `10.0.0.${epoch}` }], assignmentGeneration);
        case 9:
          return store => store.hostsMsHostList([{ id, epoch, msHostList: 'A,B@static' }]);
        case 7:
          return store => store.updateConfiguration(new Map([['zones', String(at % 3)]]), version);
        case 10:
          return async store => {
            const begun = await store.beginAssignment(current.step);
            if (begun.begun) attempt = begun.attempt;
            return begun;
          };
        case 11:
          return async store => {
            const batch = [{ id, preferred: `10.0.1.${epoch}` }];
            const written = await store.writeAssignments(current, batch);
            if (written !== undefined) attempt = written;
            return written;
          };
        case 12:
          return store => store.updateConfiguration(new Map(), version, { attempt: current });
        case 13: {
          const hosts = new Map([[id, at % 2 ? '10.0.0.1' : null]]);
          const begins = { changes: new Map([['host', guid]]), hosts, createdBy: 'admin' };
          const canary = memory.data.canary === undefined ? begins : 'ended';
          return store => store.updateConfiguration(new Map(), at % 5 ? version : version - 1, { canary });
        }
        default:
          return store => store.zoneId(zone === 1 ? 'one' : 'two');
      }
    };

    const differing = [];
    for (let run = 0; run < RUNS; run++) {
      const call = draw();
      const [theirs, ours] = [await call(real), await call(memory)];
      if (!isDeepStrictEqual(theirs, ours)) differing.push({ run, call: String(call), theirs, ours });
    }
    t.strictSame(differing, []);
    await real.close();
  },
);

/** Without what is chance, or the time. */
function comparable(row: Omit<AgentRow, 'uuid' | 'changed'>) {
  const { id, guid, name, zoneId, preferred, nextPreferred, nextGeneration, status, msid, epoch } = row;
  const { msHostList, instanceId, linkAddress } = row;
  return {
    ...{ id, guid, name, zoneId, preferred, nextPreferred, nextGeneration, status, msid, epoch },
    ...{ msHostList, instanceId, linkAddress },
  };
}
