import type { Clock } from '../lib/clock.js';
import { type Interruptible, runInTurns, workCounter } from '../lib/interruptible.js';
import { byLabel, type Sample, single } from '../metrics/meters.js';
import type { Agents } from './agents/compose-agents.js';
import type { Membership } from './cluster/membership.js';
import { canTakeAgents, type ObservedServer } from './cluster/observed-servers.js';
import type { Sender } from './commands/sender.js';
import { placeOf } from './hosts/own-view.js';
import type { Drains } from './jobs/server-job-parts.js';
import { astrayReason } from './lists/astray.js';
import { fullestSurvivor, type PlacedAgent, type Survivor, survivors } from './lists/survivability.js';
import {
  ASTRAY_REASONS,
  type AstrayReason,
  CERTIFICATE_OWNERS,
  CONNECTION_STAGES,
  GENERATIONS_BEHIND,
  type GenerationsBehind,
  LEFT_REASONS,
  type NodeReadings,
} from './metrics/server-metrics.js';
import type { Ca } from './security/ca.js';
import { HOST_STATUSES, type HostStatus } from './store/store.js';
import type { StoreHealth } from './store/store-health.js';

export interface ServerReadingsParts {
  readonly clock: Clock;
  readonly msid: number;
  /** This server's address, as it stands in `host`. */
  readonly address: string;
  readonly agents: Pick<Agents, 'registry' | 'lists' | 'server' | 'propagation' | 'knownHosts'>;
  readonly membership: Pick<Membership, 'servers' | 'canTakeAgents'>;
  readonly drains: Drains;
  readonly sender: Pick<Sender, 'underWay'>;
  readonly health: Pick<StoreHealth, 'away'>;
  readonly ca: Pick<Ca, 'signers'>;
  /** When the certificate that agents are shown ends: milliseconds since 1970. */
  certificateEnds(): number | undefined;
  /** Whether this server takes agents. */
  isReady(): boolean;
}

/** The lists of all hosts are computed for it, so it is computed at most this often while servers and lists are the same. */
const SURVIVORS_EVERY_MS = 10_000;
/** Hosts or agents that are looked at in one turn of the event loop. */
const LOOKED_PER_STEP = 2_000;

type Survivors = ReadonlyMap<string, Survivor>;

interface OwnAgents {
  readonly astray: ReadonlyMap<AstrayReason, number>;
  readonly behind: ReadonlyMap<GenerationsBehind, number>;
}

interface ClusterView {
  readonly states: ReadonlyMap<HostStatus, number>;
  /** Hosts that are Up, by the server that has them. */
  readonly byMsid: ReadonlyMap<number, number>;
}

/** What the gauges of a server show, read from memory alone. */
export class ServerReadings {
  readonly #parts: ServerReadingsParts;
  #survivors: { readonly at: number; readonly of: string; readonly all: Promise<Survivors> } | undefined;

  constructor(parts: ServerReadingsParts) {
    this.#parts = parts;
  }

  async read(): Promise<NodeReadings> {
    const { clock, agents, membership, drains, sender, health } = this.#parts;
    const { registry, lists, server, propagation } = agents;
    const { servers } = membership;
    const { byMsid, states } = await runInTurns(this.#clusterView(), clock);
    const { astray, behind } = await runInTurns(this.#ownAgents(), clock);
    const survivor = await this.#survivorRatio();
    const { admission, underWay, rate } = server;
    const ends = this.#certificateEnds();
    return {
      ready: single(this.#parts.isReady() ? 1 : 0),
      connected: single(registry.size),
      connections: byLabel('stage', CONNECTION_STAGES, stage => underWay[stage]),
      clusterAgents: byLabel('state', SHOWN_STATES, state => states.get(state) ?? 0),
      agentsOfServer: byAddress(servers, ofAddress =>
        ofAddress.reduce((sum, { msid }) => sum + (byMsid.get(msid) ?? 0), 0),
      ),
      canTakeAgents: byAddress(servers, ofAddress => (ofAddress.some(canTakeAgents) ? 1 : 0)),
      astray: byLabel('reason', ASTRAY_REASONS, reason => astray.get(reason) ?? 0),
      behind: byLabel('generations', GENERATIONS_BEHIND, generations => behind.get(generations) ?? 0),
      propagating: single(propagation.inFlight),
      generation: single(lists.configuration.version),
      drainLeft: byLabel('reason', LEFT_REASONS, reason => drains.current?.left.get(reason) ?? 0),
      survivor: single(survivor),
      strangers: single(admission.waiting),
      strangersAtMost: single(admission.limit),
      connectionRate: single(rate),
      commandsUnderWay: single(sender.underWay),
      storeAway: single(health.away ? 1 : 0),
      certificateEnds: CERTIFICATE_OWNERS.flatMap(of => {
        const end = ends[of];
        return end === undefined ? [] : [{ labels: { of }, value: end / 1_000 }];
      }),
    };
  }

  *#clusterView(): Interruptible<ClusterView> {
    const { msid, agents } = this.#parts;
    const states = new Map<HostStatus, number>();
    const byMsid = new Map<number, number>();
    const isStepFull = workCounter(LOOKED_PER_STEP);
    for (const host of agents.knownHosts) {
      const place = placeOf(host, msid, agents.registry.get(host.id) !== undefined);
      addOne(states, place.status);
      if (place.status === 'Up' && place.msid !== null) addOne(byMsid, place.msid);
      if (isStepFull(1)) yield;
    }
    return { states, byMsid };
  }

  *#ownAgents(): Interruptible<OwnAgents> {
    const { address, agents, membership } = this.#parts;
    const { version } = agents.lists.configuration;
    const astray = new Map<AstrayReason, number>();
    const behind = new Map<GenerationsBehind, number>();
    const isStepFull = workCounter(LOOKED_PER_STEP);
    for (const attache of agents.registry) {
      const { held } = attache;
      if (held === undefined) continue;
      const reason = astrayReason(held, address, membership.servers);
      if (reason !== undefined) addOne(astray, reason);
      if (agents.propagation.isBehind(attache)) addOne(behind, generationsBehind(version - held.configurationVersion));
      if (isStepFull(1)) yield;
    }
    return { astray, behind };
  }

  /** @returns undefined: it is not known what a server can carry */
  async #survivorRatio(): Promise<number | undefined> {
    const { agents } = this.#parts;
    const capacity = agents.lists.configuration.values['agents.capacity'];
    if (capacity === 0) return undefined;
    return fullestSurvivor(await this.survivors()) / capacity;
  }

  /** What the death of another server would mean to each one that takes agents, by address. */
  survivors(): Promise<Survivors> {
    const { clock, agents, membership } = this.#parts;
    const { values, version } = agents.lists.configuration;
    // Agents go where their lists lead, whoever else takes agents.
    const takers = new Set(values.host.filter(server => membership.canTakeAgents(server)));
    const of = `${version} ${[...takers].join()}`;
    const known = this.#survivors;
    if (known?.of === of && clock.now() - known.at < SURVIVORS_EVERY_MS) return known.all;
    const all = runInTurns(survivors(this.#placedAgents(), takers), clock);
    this.#survivors = { at: clock.now(), of, all };
    return all;
  }

  *#placedAgents(): IterableIterator<PlacedAgent> {
    const { msid, agents, membership } = this.#parts;
    const addresses = new Map(membership.servers.map(server => [server.msid, server.serviceIp]));
    for (const host of agents.knownHosts) {
      const place = placeOf(host, msid, agents.registry.get(host.id) !== undefined);
      const server = place.status === 'Up' && place.msid !== null ? addresses.get(place.msid) : undefined;
      if (server !== undefined) yield { server, hosts: agents.lists.listFor(host).hosts };
    }
  }

  #certificateEnds(): Readonly<Record<(typeof CERTIFICATE_OWNERS)[number], number | undefined>> {
    const { agents, ca, certificateEnds } = this.#parts;
    const ofCa = ca.signers.map(({ validTo }) => Date.parse(validTo));
    return {
      server: certificateEnds(),
      ca: ofCa.length === 0 ? undefined : Math.min(...ofCa),
      agents: agents.server.certificatesEnd,
    };
  }
}

const SHOWN_STATES = HOST_STATUSES.filter(status => status !== 'Removed');

/** A server that was installed anew has the address of its former row. */
function byAddress(
  servers: readonly ObservedServer[],
  measure: (ofAddress: readonly ObservedServer[]) => number,
): readonly Sample<{ readonly server: string }>[] {
  const addresses = [...new Set(servers.map(({ serviceIp }) => serviceIp))];
  return addresses.map(server => ({
    labels: { server },
    value: measure(servers.filter(({ serviceIp }) => serviceIp === server)),
  }));
}

function addOne<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Only the avoid list is another one: 0. */
function generationsBehind(generations: number): GenerationsBehind {
  if (generations <= 0) return '0';
  if (generations === 1) return '1';
  return generations < 10 ? '2-9' : '10+';
}
