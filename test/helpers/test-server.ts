import type { SecureContext } from 'node:tls';
import { ManagementServer, type Peers } from '../../src/mgmt/agents/agent-server.js';
import type { ClusterEvent } from '../../src/mgmt/cluster/events.js';
import { readConfiguration } from '../../src/mgmt/config/parameters.js';
import { StoreHealth } from '../../src/mgmt/store/store-health.js';
import { FakeAgent } from './fake-agent.js';
import { FakeClock } from './fake-clock.js';
import { MemoryStore } from './memory-store.js';
import { memoryTransports } from './memory-transport.js';
import { RecordingLog } from './recording-log.js';
import { seededRandom } from './seeded-random.js';

export const MSID = 1001;

export interface TestServerOptions {
  readonly configuration?: Readonly<Record<string, string>>;
  readonly store?: MemoryStore;
  readonly clock?: FakeClock;
  readonly msid?: number;
  readonly context?: SecureContext;
  /** A test may change them as it goes. */
  readonly peers?: Partial<Peers>;
}

/** A management server on a clock, a store and connections of the test's own. */
export async function testServer(options: TestServerOptions = {}) {
  const { clock = new FakeClock(), store = new MemoryStore(), msid = MSID } = options;
  const events: ClusterEvent[] = [];
  const log = new RecordingLog();
  await store.initialiseConfiguration(
    new Map(Object.entries({ host: '192.0.2.1,192.0.2.2,192.0.2.3', ...options.configuration })),
  );
  const { configuration } = readConfiguration(await store.configuration());
  const server = new ManagementServer({
    clock,
    random: seededRandom(7),
    log,
    store,
    msid,
    health: new StoreHealth(log),
    configuration,
    events: { add: event => void events.push(event) },
    peers: {
      get takesAgents() {
        return options.peers?.takesAgents ?? true;
      },
      get avoided() {
        return options.peers?.avoided ?? [];
      },
      isUp: other => options.peers?.isUp?.(other) ?? true,
    },
    secureContext: () => {
      if (options.context) return options.context;
      throw new Error('this test has no TLS');
    },
  });
  await server.start();
  return {
    server,
    clock,
    store,
    lines: log.entries,
    events,
    agent: (address = '192.0.2.50') => {
      const ends = memoryTransports({ address, port: 40_000 });
      server.serveTransport(ends.server);
      return Object.assign(new FakeAgent(ends.agent), { ends });
    },
    row: (id: number) => store.data.hosts.get(id),
  };
}
