import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { CheckHealthCommand } from '../../protocol/index.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { AgentLists } from '../lists/agent-lists.js';
import type { Attache } from './attache.js';
import type { AttacheRegistry } from './attache-registry.js';

export interface HealthMonitorParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly lists: Pick<AgentLists, 'configuration'>;
  readonly registry: AttacheRegistry;
}

/** Agents that are looked at in one turn of the event loop. */
const LOOKED_PER_TURN = 2_000;

/** Once every ping interval, looks for agents that are behind on their pings, and asks those for their health. */
export class HealthMonitor {
  readonly #parts: HealthMonitorParts;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: HealthMonitorParts) {
    this.#parts = parts;
  }

  start(): void {
    if (this.#isStopped) return;
    const { clock, lists } = this.#parts;
    const intervalMs = lists.configuration.values['ping.interval'] * 1_000;
    this.#timer = clock.after(intervalMs, () => {
      void this.#look(lists.configuration.values['ping.timeout']).then(() => this.start());
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** @param timeout how many ping intervals an agent may be behind */
  async #look(timeout: number): Promise<void> {
    const { clock, registry } = this.#parts;
    let looked = 0;
    for (const attache of registry) {
      if (++looked % LOOKED_PER_TURN === 0) await clock.turn();
      if (attache.note({ kind: 'look', deadlineMs: attache.pingIntervalMs * timeout }) === 'check health')
        void this.#checkHealth(attache);
    }
  }

  async #checkHealth(attache: Attache): Promise<void> {
    const { host, guid } = attache;
    this.#parts.log.warn('Agent is behind on its pings; asking for its health', { hostId: host.id, guid });
    const problem = await healthProblem(attache);
    const event =
      problem === undefined ? { kind: 'healthy' as const } : { kind: 'unhealthy' as const, reason: problem };
    if (attache.note(event) === 'disconnect') attache.end(`ping timeout: ${problem}`, 'silent');
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
