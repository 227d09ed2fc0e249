import type { Clock } from '../../lib/clock.js';
import type { Log } from '../../lib/logger.js';
import type { Random } from '../../lib/random.js';
import type { EventSink } from '../cluster/events.js';
import type { Configuration } from '../config/parameters.js';
import type { HostIdentity } from '../hosts/known-hosts.js';
import type { Ownership } from '../hosts/ownership.js';
import type { Rings } from '../hosts/zone-hosts.js';
import type { Zones } from '../hosts/zones.js';
import type { Wanted } from '../lists/agent-list.js';
import type { StoreHealth } from '../store/store-health.js';
import type { Attache } from './attache.js';
import type { AttacheRegistry } from './attache-registry.js';
import type { GuidWatch } from './guid-watch.js';
import type { Registrar } from './registrar.js';

/** What every conversation with an agent shares. */
export interface House {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly msid: number;
  /** As it is now; it changes while running. */
  readonly configuration: Configuration;
  /** Advice to agents: addresses of servers that want no agents now. */
  readonly avoidMsList: readonly string[];
  /** What an agent is to be told about its servers, as of now. */
  wanted(host: HostIdentity): Wanted;
  /** The agent has answered Ready 2, and is seated. */
  onReady(attache: Attache): void;
  readonly attaches: AttacheRegistry;
  readonly zones: Zones;
  readonly rings: Rings;
  readonly health: StoreHealth;
  readonly registrar: Registrar;
  readonly ownership: Ownership;
  readonly guids: GuidWatch;
  readonly events: EventSink;
  /** A packet was passed over. */
  countIgnored(why: 'not for this server' | 'before Startup'): void;
}
