import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import './listed-crypto.js';
import { Agent } from '../../src/agent/agent.js';
import { AgentProperties, readProperties } from '../../src/agent/agent-properties.js';
import { openJournal } from '../../src/agent/commands/open-journal.js';
import type { AgentMeters } from '../../src/agent/metrics/agent-metrics.js';
import { builtInResource } from '../../src/agent/resources/built-in.js';
import type { Resource } from '../../src/agent/resources/resource.js';
import { readSettings } from '../../src/agent/settings.js';
import { Trust } from '../../src/agent/trust/trust.js';
import { secureContext } from '../../src/protocol/index.js';
import { FakeClock, settle } from '../../src/testing/fake-clock.js';
import { FakeNetwork, FakeServer } from '../../src/testing/fake-server.js';
import { plainCertificate } from './certificates.js';
import { RecordingLog } from './recording-log.js';
import { seededRandom } from './seeded-random.js';
import { until } from './until.js';

const certificates = await plainCertificate();
const context = secureContext(certificates);

export interface BenchOptions {
  /** agent.properties. @default 'guid=g\nhost=a,b,c\n' */
  readonly file?: string;
  /** Beats the file. */
  readonly overrides?: Readonly<Record<string, string>>;
  readonly resource?: Resource;
  /** More files of the agent's folder. A `cloud.ca.crt` takes the place of the servers' certificate; '' is none. */
  readonly files?: Readonly<Record<string, string>>;
  /** When it is. @default 2026-01-01 */
  readonly wallTime?: number;
  readonly meters?: AgentMeters;
  /** Other names of the servers a, b and c, which are 10.0.0.1, 10.0.0.2 and 10.0.0.3. */
  readonly names?: Readonly<Record<string, string>>;
}

/** An agent with its file, a clock that stands still, and three servers to dial. */
export interface Bench {
  readonly agent: Agent;
  readonly clock: FakeClock;
  readonly log: RecordingLog;
  readonly network: FakeNetwork;
  readonly folder: string;
  readonly path: string;
  readonly a: FakeServer;
  readonly b: FakeServer;
  readonly c: FakeServer;
  /** The file as it stands. */
  text(): string;
  /** Until the agent is up on this server, with time going on as far as it takes. */
  upOn(server: FakeServer, withinMs?: number): Promise<void>;
}

export async function bench(t: Test, options: BenchOptions = {}): Promise<Bench> {
  const { file = 'guid=g\nhost=a,b,c\n', overrides = {}, names = {} } = options;
  const clock = new FakeClock(options.wallTime);
  const log = new RecordingLog();
  // Not a testdir: that is removed before an agent has written its last.
  const folder = mkdtempSync(join(tmpdir(), 'muster-agent-'));
  const path = join(folder, 'agent.properties');
  writeFileSync(path, file);
  for (const [name, text] of Object.entries({ 'cloud.ca.crt': certificates.cert, ...options.files })) {
    if (text !== '') writeFileSync(join(folder, name), text, { mode: 0o600 });
  }
  const { document } = await readProperties(path);
  const settings = readSettings(key => overrides[key] ?? document.get(key));
  const trust = new Trust({ folder, clock, log, token: settings.enrolmentToken });
  await trust.load();
  const [a, b, c] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(
    (address, index) => new FakeServer(address, context, BigInt(1001 + index)),
  ) as [FakeServer, FakeServer, FakeServer];
  const network = new FakeNetwork([a, b, c], { a: a.address, b: b.address, c: c.address, ...names }, clock);
  const agent = new Agent({
    settings,
    properties: new AgentProperties(path, document, clock, log),
    guid: settings.guid ?? 'g',
    resource: options.resource ?? builtInResource('R'),
    journal: await openJournal(folder, { clock, log }),
    trust,
    dialer: network,
    folder,
    clock,
    random: seededRandom(1),
    log,
    ...(options.meters && { meters: options.meters }),
  });
  t.teardown(async () => {
    await agent.stop();
    rmSync(folder, { recursive: true });
  });
  return {
    ...{ agent, clock, log, network, folder, path, a, b, c },
    text: () => readFileSync(path, 'utf8'),
    async upOn(server, withinMs = 0) {
      const isUp = () => {
        const { phase } = agent.state;
        return phase.kind === 'up' && server.ready.length > 0 && network.isNameOf(phase.link.host, server);
      };
      await passes(clock, isUp, withinMs);
    },
  };
}

/** Time goes on until `holds`, at most by `withinMs`. */
export async function passes(clock: FakeClock, holds: () => boolean, withinMs: number): Promise<void> {
  const end = clock.now() + withinMs;
  await settle();
  while (!holds() && clock.now() < end) await clock.advanceToNext(end - clock.now());
  await until(holds);
}
