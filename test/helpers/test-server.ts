import type { SecureContext } from 'node:tls';
import { MemoryStore } from '../../bench/memory-store.js';
import { systemClock } from '../../src/lib/clock.js';
import { systemRandom } from '../../src/lib/random.js';
import { composeAgents, type SecurityStore } from '../../src/mgmt/agents/compose-agents.js';
import type { LinkElsewhere } from '../../src/mgmt/agents/guid-guard.js';
import type { ClusterEvent } from '../../src/mgmt/cluster/events.js';
import { readConfiguration } from '../../src/mgmt/config/parameters.js';
import { SILENT_SERVER_METERS } from '../../src/mgmt/metrics/server-metrics.js';
import { newCa } from '../../src/mgmt/security/new-ca.js';
import type { AgentStore } from '../../src/mgmt/store/agent-store.js';
import { StoreHealth } from '../../src/mgmt/store/store-health.js';
import { LIMITS } from '../../src/protocol/limits.js';
import { FakeAgent } from '../../src/testing/fake-agent.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { memoryTransports } from '../../src/testing/memory-transport.js';
import { NOT_STRICT } from './not-strict.js';
import { RecordingLog } from './recording-log.js';
import { seededRandom } from './seeded-random.js';

/** For many agents that all come from one address. */
export const ANY_NUMBER = {
  'agent.max.concurrent.new.connections': '1000000',
  'agent.max.concurrent.new.connections.per.address': '1000000',
  'agent.new.hosts.per.address': '0',
} as const;

export const MSID = 1001;

const ca = await newCa({ clock: systemClock, random: systemRandom });

/** No agent enrols here. */
const NO_SECURITY: SecurityStore = {
  enrollmentToken: async () => undefined,
  useEnrollmentToken: async () => ({ kind: 'refused', reason: 'unknown' }),
  addCertificate: async () => {},
  certificatesInstalled: async () => {},
  bindCertificate: async (_fingerprint, guid) => guid,
  revocations: async () => [],
};

export interface TestServerOptions {
  readonly configuration?: Readonly<Record<string, string>>;
  readonly store?: MemoryStore;
  /** What the server has in the place of `store`. */
  readonly realStore?: AgentStore;
  readonly securityStore?: SecurityStore;
  readonly clock?: FakeClock;
  readonly msid?: number;
  readonly context?: SecureContext;
  readonly packetMaxBytes?: number;
  /** The avoid list at the start. */
  readonly avoided?: readonly string[];
  takesAgents?(): boolean;
  /** @default 0 */
  loopUtilization?(): number;
  isUp?(msid: number): boolean;
  answersElsewhere?(host: LinkElsewhere): Promise<boolean>;
}

/** What serves agents, on a clock, a store and connections of the test's own. */
export async function testServer(options: TestServerOptions = {}) {
  const { clock = new FakeClock(), store = new MemoryStore(), msid = MSID } = options;
  const served = options.realStore ?? store;
  const events: ClusterEvent[] = [];
  const log = new RecordingLog();
  await store.initialiseConfiguration(
    new Map(Object.entries({ host: '192.0.2.1,192.0.2.2,192.0.2.3', ...NOT_STRICT, ...options.configuration })),
  );
  const { configuration } = readConfiguration(await served.configuration());
  const agents = composeAgents({
    clock,
    random: seededRandom(7),
    log,
    meters: SILENT_SERVER_METERS,
    store: served,
    security: { ca, store: options.securityStore ?? NO_SECURITY },
    msid,
    address: '192.0.2.1',
    health: new StoreHealth(log),
    configuration,
    packetMaxBytes: options.packetMaxBytes ?? LIMITS.packetBytes,
    events: { add: event => void events.push(event) },
    stopping: new AbortController().signal,
    takesAgents: () => options.takesAgents?.() ?? true,
    loopUtilization: () => options.loopUtilization?.() ?? 0,
    others: () => 2,
    lifeOf: other => ((options.isUp?.(other) ?? true) ? 'up' : 'dead'),
    otherServers: {
      terms: {},
      contextFor: () => undefined,
      isAt: () => false,
      accept: transport => transport.destroy(),
      endRevoked() {},
    },
    takeKeptAnswers: async () => [],
    answersElsewhere: async host => options.answersElsewhere?.(host) ?? false,
    secureContext: () => {
      if (options.context) return options.context;
      throw new Error('this test has no TLS');
    },
  });
  agents.lists.avoid(options.avoided ?? []);
  await agents.start();
  return {
    ...agents,
    clock,
    store,
    lines: log.entries,
    events,
    agent: (address = '192.0.2.50') => {
      const ends = memoryTransports({ address, port: 40_000 });
      agents.server.serveTransport(ends.server);
      return Object.assign(new FakeAgent(ends.agent), { ends });
    },
    row: (id: number) => store.data.hosts.get(id),
  };
}
