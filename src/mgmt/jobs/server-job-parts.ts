import type { Clock } from '../../lib/clock.js';
import type { Log } from '../../lib/logger.js';
import type { Agents } from '../agents/compose-agents.js';
import type { EventSink } from '../cluster/events.js';
import type { Membership } from '../cluster/membership.js';
import type { LeftReason, ServerMeters } from '../metrics/server-metrics.js';
import { StoreError } from '../store/store-error.js';
import { retryWhileAway } from '../store/store-health.js';
import type { LeftAgent } from './move-agents.js';

/** What the jobs of one server work with. */
export interface ServerJobParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly meters: Pick<ServerMeters, 'moveRequests'>;
  readonly events: EventSink;
  readonly agents: Agents;
  readonly membership: Membership;
  /** This server's address, as it stands in `host`. */
  readonly address: string;
  readonly drains: Drains;
  /** Aborts when this server stops. */
  readonly stopping: AbortSignal;
  /** Ends the process in good order. */
  onShutdown(): void;
}

/** There is one drain of a server at a time; a newer one ends it. */
export interface Drains {
  current?: RunningDrain;
}

export interface RunningDrain {
  readonly purpose: 'maintenance' | 'shutdown' | 'stop';
  readonly cancel: AbortController;
  /** How many agents are here still, by why. */
  left: ReadonlyMap<LeftReason, number>;
}

/** How many of the agents that are left a result names. */
const LEFT_LISTED = 1_000;

/** Reads the servers' states, however long the store is away. @throws the reason of `stopping` */
export function refreshServers({ clock, membership, stopping }: ServerJobParts): Promise<void> {
  return retryWhileAway({ clock, stopping }, async () => {
    if (!(await membership.refresh())) throw new StoreError('STORE_UNAVAILABLE', 'servers');
  });
}

/** The agents that are left, for a job's result. */
export function leftFields(left: readonly LeftAgent[]): { leftcount: number; left: readonly LeftAgent[] } {
  return { leftcount: left.length, left: left.slice(0, LEFT_LISTED) };
}
