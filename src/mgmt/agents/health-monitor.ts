import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { CheckHealthCommand } from '../../protocol/index.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { AgentLists } from '../lists/agent-lists.js';
import type { Attache } from './attache.js';
import type { AttacheRegistry } from './attache-registry.js';
import type { GuidWatch } from './guid-watch.js';

export interface HealthMonitorParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly lists: Pick<AgentLists, 'configuration'>;
  readonly registry: AttacheRegistry;
  readonly guids: GuidWatch;
}

/** Once every ping interval, looks for agents that are behind on their pings, and asks those for their health. */
export class HealthMonitor {
  readonly #parts: HealthMonitorParts;
  #timer: Timer | undefined;

  constructor(parts: HealthMonitorParts) {
    this.#parts = parts;
  }

  start(): void {
    const { clock, lists } = this.#parts;
    const intervalMs = lists.configuration.values['ping.interval'] * 1_000;
    this.#timer = clock.after(intervalMs, () => {
      this.#look(intervalMs * lists.configuration.values['ping.timeout']);
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look(deadlineMs: number): void {
    const { registry, guids } = this.#parts;
    for (const attache of registry) {
      if (attache.note({ kind: 'look', deadlineMs }) === 'check health') void this.#checkHealth(attache);
    }
    guids.forgetStale(guid => registry.byGuid(guid) !== undefined);
  }

  async #checkHealth(attache: Attache): Promise<void> {
    const { host, guid } = attache;
    this.#parts.log.warn('Agent is behind on its pings; asking for its health', { hostId: host.id, guid });
    const problem = await healthProblem(attache);
    const event =
      problem === undefined ? { kind: 'healthy' as const } : { kind: 'unhealthy' as const, reason: problem };
    if (attache.note(event) === 'disconnect') attache.link.close(`ping timeout: ${problem}`);
  }
}

/** @returns what is wrong with the agent; undefined when it says that it is well */
async function healthProblem(attache: Attache): Promise<string | undefined> {
  try {
    const { messages } = await attache.ask([CheckHealthCommand.encode({ wait: MGMT_LIMITS.checkHealthSeconds })]);
    return messages[0]?.fields.result === true ? undefined : 'the agent says that it is not well';
  } catch (error) {
    return reasonOf(error);
  }
}
