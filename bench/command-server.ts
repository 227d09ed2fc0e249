import { systemClock } from '#dist/lib/clock.js';
import { silentLog } from '#dist/lib/logger.js';
import { type ManagementServer, startManagementServer } from '#dist/mgmt/index.js';
import type { Message } from '#dist/protocol/index.js';
import { serveParent } from './child.js';
import { PACKET_BYTES } from './kinds.js';

/** A management server in a process of its own, which sends commands; commands.ts starts three. */
const operations = {
  async start(overrides: Readonly<Record<string, string>>): Promise<void> {
    running = await startManagementServer({ overrides, log: silentLog, onFatal: end });
  },

  /** The hosts of the agents that it has. */
  hosts: (): readonly number[] => [...node().agents.registry].map(({ host }) => host.id),

  /** `commands` one after another to these hosts in turn, `atOnce` at a time. */
  async send({ hosts, commands, atOnce }: SendRequest): Promise<Sent> {
    const took: number[] = [];
    let notAnswered = 0;
    let next = 0;
    const start = performance.now();
    const worker = async () => {
      while (next < commands) {
        const hostId = hosts[next++ % hosts.length] ?? 0;
        const at = performance.now();
        const { kind } = await node().send(hostId, [COMMAND], { wait: 60 });
        took.push(performance.now() - at);
        if (kind !== 'answered') notAnswered++;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    const ms = performance.now() - start;
    took.sort((one, other) => one - other);
    return { medianMs: took[took.length >> 1] ?? 0, ms, notAnswered };
  },

  /** CPU time so far, in milliseconds. */
  cpuMs(): number {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  },

  /** After garbage collection. */
  rssMb(): number {
    globalThis.gc?.();
    return process.memoryUsage().rss / 2 ** 20;
  },

  async stop(): Promise<void> {
    await running?.stop('SIGINT');
  },
};

export type ServerOperations = typeof operations;

interface SendRequest {
  readonly hosts: readonly number[];
  readonly commands: number;
  readonly atOnce: number;
}

interface Sent {
  readonly medianMs: number;
  readonly ms: number;
  readonly notAnswered: number;
}

/** Agents of the bench have the built-in resource, which answers this one. */
const COMMAND: Message = {
  type: 'com.cloud.agent.api.CheckHealthCommand',
  fields: { filler: 'x'.repeat(PACKET_BYTES - 150), contextMap: {}, wait: 50, bypassHostMaintenance: false },
};

let running: ManagementServer | undefined;

function node(): ManagementServer['node'] {
  if (running === undefined) throw new Error('the server does not run');
  return running.node;
}

function end(error: Error): void {
  console.error(`${systemClock.wallTime()} ${error.message}`);
  process.exit(1);
}

serveParent(operations);
