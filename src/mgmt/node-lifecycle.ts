import { withinLimit } from '../lib/abort.js';
import type { Clock } from '../lib/clock.js';
import { reasonOf } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';
import type { PortKeeper } from './agents/agents-port.js';
import type { Agents } from './agents/compose-agents.js';
import type { Alerts } from './alerts/alerts.js';
import type { EventLog, EventSink } from './cluster/events.js';
import type { ServerLinks } from './cluster/links/server-links.js';
import type { Membership } from './cluster/membership.js';
import { drainPurpose } from './cluster/server-state.js';
import type { Sender } from './commands/sender.js';
import { MGMT_LIMITS } from './config/limits.js';
import type { LinkStatusWriter } from './hosts/link-status-writer.js';
import type { Console } from './http/console/console.js';
import type { CertificateRenewal } from './jobs/certificate-renewal.js';
import type { JobRunner } from './jobs/job-runner.js';
import type { OwnState } from './jobs/own-state.js';
import type { ApiKeys } from './security/api-keys.js';
import { retryWhileAway, type StoreHealth } from './store/store-health.js';

export interface NodeLifecycleParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly msid: number;
  readonly address: string;
  /** Aborted when the server stops. */
  readonly stopping: AbortController;
  readonly health: Pick<StoreHealth, 'isReplaced'>;
  readonly events: EventSink;
  readonly eventLog: Pick<EventLog, 'close'>;
  readonly membership: Membership;
  readonly agents: Agents;
  readonly keeper: PortKeeper;
  readonly jobs: JobRunner;
  readonly alerts: Alerts;
  readonly linkStatusWriter: LinkStatusWriter;
  readonly renewal: CertificateRenewal;
  readonly ownState: OwnState;
  readonly serverLinks: ServerLinks;
  readonly sender: Pick<Sender, 'stop'>;
  readonly console: Console;
  readonly apiKeys: ApiKeys;
  /** Moves the agents to other servers. Never rejects. */
  drain(): Promise<void>;
}

/**
 * When a management server starts, serves, and ends: in which order its parts begin and stop, and when its agents' port is open.
 *
 *     starting ─start()─▶ serving ─drain(), stop()─▶ stopping
 */
export class NodeLifecycle {
  readonly #parts: NodeLifecycleParts;
  #isServing = false;
  #isStopping = false;
  /** Agents without a certificate were refused when that was last looked at. */
  #wasStrict = true;
  #starting: Promise<void> = Promise.resolve();
  #ending: Promise<void> | undefined;

  constructor(parts: NodeLifecycleParts) {
    this.#parts = parts;
  }

  /** Why agents and operators should use another server now; undefined when it serves. */
  notReady(): string | undefined {
    const { health, membership, keeper } = this.#parts;
    if (this.#isStopping) return 'stopping';
    if (!this.#isServing) return 'starting';
    if (health.isReplaced) return 'the database file was deleted or replaced';
    if (membership.state !== 'Up') return membership.state;
    return keeper.isOpen ? undefined : "the agents' port cannot be opened";
  }

  /** As of `ManagementNode.start`. */
  async start(): Promise<void> {
    this.#starting = this.#start();
    try {
      await this.#starting;
    } catch (error) {
      await this.stop('now');
      throw error;
    }
  }

  async drain(): Promise<void> {
    this.#isStopping = true;
    await this.#parts.drain();
  }

  /** As of `ManagementNode.stop`. */
  stop(how: 'orderly' | 'now'): Promise<void> {
    this.#ending ??= this.#end(how);
    return this.#ending;
  }

  /** At each start while agents are let in without a certificate, and when that comes to hold. */
  warnOfStrangers(): void {
    const { agents, log } = this.#parts;
    const isStrict = agents.lists.configuration.values['ca.plugin.root.auth.strictness'];
    if (this.#wasStrict && !isStrict) {
      log.warn('Agents are let in without a certificate: ca.plugin.root.auth.strictness is false');
    }
    this.#wasStrict = isStrict;
  }

  async #start(): Promise<void> {
    const { clock, log, msid, address, events, membership, agents, keeper } = this.#parts;
    const { signal } = this.#parts.stopping;
    const waiting = { clock, stopping: signal };
    signal.throwIfAborted();
    await retryWhileAway(waiting, () => membership.join());
    signal.throwIfAborted();
    await retryWhileAway(waiting, () => agents.start());
    signal.throwIfAborted();
    const at = this.#shouldBeOpen() ? await keeper.open() : undefined;
    signal.throwIfAborted();
    this.#isServing = true;
    this.#startBackground();
    // A heartbeat now, so that the others see that it serves.
    await membership.refresh();
    signal.throwIfAborted();
    events.add({ type: 'SERVER.UP', level: 'INFO', description: `Management server ${address} has started` });
    this.warnOfStrangers();
    log.info('Listening for agents', { address: at?.address, port: at?.port, msid, node: address });
  }

  #startBackground(): void {
    const { jobs, apiKeys, linkStatusWriter, renewal, alerts, membership, ownState, serverLinks } = this.#parts;
    jobs.start();
    apiKeys.start();
    linkStatusWriter.start();
    renewal.start();
    alerts.start();
    membership.onChange(() => void this.#reconcilePort());
    membership.addPass(() => this.#reconcilePort());
    membership.addPass(() => ownState.reconcile());
    membership.addPass(() => serverLinks.reconcile());
  }

  /** The agents' port is open in state Up, and while a drain waits for a server that could take the agents. */
  #shouldBeOpen(): boolean {
    const { membership, agents } = this.#parts;
    if (membership.state === 'Up') return true;
    const isDraining = drainPurpose(membership.state) !== undefined;
    return (
      isDraining && membership.hasListened && !membership.othersCanTakeAgents(agents.lists.configuration.values.host)
    );
  }

  async #reconcilePort(): Promise<void> {
    const { stopping, keeper } = this.#parts;
    if (this.#isServing && !stopping.signal.aborted) await keeper.reconcile(() => this.#shouldBeOpen());
  }

  async #end(how: 'orderly' | 'now'): Promise<void> {
    const { clock, log, address, stopping, events, eventLog, membership, agents, keeper, jobs } = this.#parts;
    const { alerts, linkStatusWriter, renewal, serverLinks, sender, console, apiKeys } = this.#parts;
    this.#isStopping = true;
    stopping.abort();
    // What a start that is under way does behind this would be left.
    await this.#starting.catch(() => {});
    console.feed.stop();
    const handedOver = jobs.stop();
    apiKeys.stop();
    linkStatusWriter.stop();
    renewal.stop();
    await alerts.stop();
    const closed = keeper.close();
    sender.stop();
    // Over the links the other servers say which commands they have sent.
    await withinLimit(
      clock,
      MGMT_LIMITS.handOverMs,
      () => handedOver,
      () => {},
    );
    await serverLinks.stop();
    await agents.stop(how);
    await closed;
    if (this.#isServing) {
      events.add({ type: 'SERVER.DOWN', level: 'INFO', description: `Management server ${address} was stopped` });
    }
    await eventLog.close();
    await membership
      .leave()
      .catch(error =>
        log.warn('The other servers will notice by its silence that this one has stopped', { reason: reasonOf(error) }),
      );
  }
}
