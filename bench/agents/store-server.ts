import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { systemClock } from '#dist/lib/clock.js';
import { type OpenLog, openLog } from '#dist/lib/logger.js';
import { systemRandom } from '#dist/lib/random.js';
import {
  ApiKeys,
  composeNode,
  type ManagementNode,
  newCa,
  openStore,
  PrometheusMetrics,
  readConfiguration,
  type Store,
  sealUnder,
  tcpAgentsPort,
  tcpServerDialer,
} from '#dist/mgmt/index.js';
import { meteredStore } from '#dist/mgmt/metrics/metered-store.js';
import { SERVER_METRICS } from '#dist/mgmt/metrics/server-metrics.js';
import { loopUtilization } from '#dist/metrics/loop-utilization.js';
import { secureContext } from '#dist/protocol/index.js';
import { serveParent } from '../child.js';
import { collectGarbage } from '../collect-garbage.js';
import { MemoryStore } from '../memory-store.js';
import { ADDRESS, CONFIGURATION } from './configuration.js';

/** A management server with a store of one's choice, in a process of its own; stores.ts starts it. */
const operations = {
  /** @returns the port */
  async start({ folder, dbUrl, agentsInMemory, port }: StoreServerOptions): Promise<number> {
    const parts = { clock: systemClock, random: systemRandom };
    const log = await openLog({ level: 'info', format: 'text', file: join(folder, 'muster.log') }, systemClock);
    const opened = await openStore(dbUrl, { ...parts, log });
    const metrics = new PrometheusMetrics(SERVER_METRICS);
    const store = meteredStore(agentsInMemory ? withAgentsInMemory(opened) : opened, {
      clock: systemClock,
      meters: metrics.meters,
    });
    await store.initialiseConfiguration(new Map(Object.entries(CONFIGURATION)));
    const ca = await newCa(parts);
    const { chainPem, keyPem } = await ca.issueServerCertificate({ addresses: [ADDRESS], msid: MSID });
    const context = secureContext({ cert: chainPem, key: keyPem, ca: ca.signersPem });
    const sealingKey = sealUnder(randomBytes(32), 'a key of the bench');
    const node = composeNode({
      ...parts,
      log,
      store,
      meters: metrics.meters,
      msid: MSID,
      address: ADDRESS,
      name: ADDRESS,
      dataDirToken: systemRandom.uuid(),
      configuration: readConfiguration(await store.configuration()).configuration,
      agentsPort: tcpAgentsPort({ address: ADDRESS, port }),
      secureContext: () => context,
      serverContext: () => context,
      serverDialer: tcpServerDialer(),
      loopUtilization: loopUtilization(),
      ca,
      apiKeys: await ApiKeys.open({ ...parts, log, store, sealingKey }),
      onFatal(error) {
        throw error;
      },
      onShutdown() {},
    });
    await node.start();
    running = { node, store, log };
    if (node.port === undefined) throw new Error('the server takes no agents');
    return node.port;
  },

  collect: collectGarbage,

  async stop(): Promise<void> {
    await running?.node.stop('now');
    await running?.store.close();
    await running?.log.close();
  },
};

export type StoreServerOperations = typeof operations;

export interface StoreServerOptions {
  /** Of its log. */
  readonly folder: string;
  /** Of an empty database. */
  readonly dbUrl: string;
  /** What agents need of the store is answered from memory. */
  readonly agentsInMemory: boolean;
  readonly port: number;
}

const MSID = 1;

let running: { readonly node: ManagementNode; readonly store: Store; readonly log: OpenLog } | undefined;

/** What agents need of a store is answered at once from memory, the rest by the store. */
function withAgentsInMemory(store: Store): Store {
  const memory = new MemoryStore();
  return new Proxy(store, {
    get(target, name) {
      const owner = Reflect.has(memory, name) ? memory : target;
      const value: unknown = Reflect.get(owner, name);
      return typeof value === 'function' ? value.bind(owner) : value;
    },
  });
}

serveParent(operations);
