import type { Clock } from '../../lib/clock.js';
import type { Claimant } from '../hosts/claimant.js';
import type { KnownHosts, RegisteredHost } from '../hosts/known-hosts.js';
import type { Ownership } from '../hosts/ownership.js';
import type { Zones } from '../hosts/zones.js';
import type { AgentLists } from '../lists/agent-lists.js';
import type { PeerIdentity } from '../security/peer-identity.js';
import type { Store } from '../store/store.js';
import { isAway, type StoreHealth } from '../store/store-health.js';
import type { AttacheRegistry } from './attache-registry.js';
import type { GuidGuard } from './guid-guard.js';
import type { PeerCertificates } from './peer-certificates.js';
import type { Registrar } from './registrar.js';
import type { Startup } from './startup.js';

export interface NewcomersParts {
  readonly clock: Clock;
  readonly health: Pick<StoreHealth, 'away'>;
  readonly lists: Pick<AgentLists, 'configuration'>;
  readonly zones: Zones;
  readonly knownHosts: Pick<KnownHosts, 'get'>;
  /** Reads from the store what other servers have changed. Never rejects. */
  lookAgain(): Promise<void>;
  readonly guids: Pick<GuidGuard, 'judge'>;
  readonly peers: Pick<PeerCertificates, 'refused'>;
  readonly certificates: Pick<Store, 'bindCertificate'>;
  readonly registrar: Pick<Registrar, 'register'>;
  readonly registry: Pick<AttacheRegistry, 'linkOf'>;
  readonly ownership: Pick<Ownership, 'isPending' | 'lost'>;
}

/** An agent that has sent a Startup. */
export interface Newcomer {
  readonly startup: Startup;
  readonly claimant: Claimant & { readonly address: string };
  /** Who it is by its certificate. */
  readonly identity: PeerIdentity;
  /** Whether its link has ended. */
  hasLeft(): boolean;
}

/** What becomes of a Startup. `refusal`: it is refused, and the link stays. */
export type Registered = RegisteredHost | Mismatch | { readonly refusal: string };

/** `wait`: it may be repeated later; `stranger`: the certificate is another one's. Either way the link ends. */
type Mismatch = { readonly wait: string } | { readonly stranger: string };

/** Finds out which host an agent is, by its Startup and its certificate, and registers it. */
export class Newcomers {
  readonly #parts: NewcomersParts;

  constructor(parts: NewcomersParts) {
    this.#parts = parts;
  }

  /** @throws Error: it cannot be registered now, and its link is to end */
  async register(newcomer: Newcomer): Promise<Registered> {
    const { zones, lists, guids, registrar } = this.#parts;
    const { startup, claimant } = newcomer;
    const names = lists.configuration.values.zones;
    const zone = zones.find(startup.dataCenter, names);
    if (zone === undefined) {
      const sender = startup.privateIpAddress ?? claimant.address;
      if (zones.areIncomplete) return { wait: 'the ids of the zones could not be read from the store yet' };
      // CloudStack's words; operators search for them.
      const known = names.join(', ');
      return { refusal: `Host ${sender} sent incorrect data center: ${startup.dataCenter} (zones here: ${known})` };
    }
    // Before the row is written: a newcomer that is refused changes nothing in it.
    const mismatch = await this.#mismatch(newcomer);
    if (mismatch !== undefined) return mismatch;
    const refusal = await guids.judge(startup.guid, claimant);
    if (refusal !== undefined) return { refusal };
    if (newcomer.hasLeft()) throw new Error('the agent left before it was registered');
    const host = await registrar.register(startup.description(zone.id), claimant.address);
    if (host === undefined) {
      return { wait: 'the store is away, and this agent is new here: it has to wait until the store is back' };
    }
    // The host of the certificate was removed, and this server has not read that yet: its guid has got another row.
    const stranger = this.#strangerTo(host.uuid, newcomer, host);
    if (stranger === undefined) return host;
    this.left(host);
    return { stranger };
  }

  /** A host has been registered whose row is Connecting, and there may be no link that could make it Ready. */
  left({ id, connectingEpoch }: RegisteredHost): void {
    const { registry, ownership } = this.#parts;
    if (registry.linkOf(id) !== 'none' || ownership.isPending(id)) return;
    ownership.lost(id, { reason: 'the agent left while it registered', cause: 'closed' }, connectingEpoch);
  }

  /** Whether the certificate is that of another host: strict or not, it may not be used for this one. */
  async #mismatch(newcomer: Newcomer): Promise<Mismatch | undefined> {
    const { identity, startup } = newcomer;
    const { knownHosts, lists } = this.#parts;
    if (identity.kind === 'address' && lists.configuration.values['ca.plugin.root.auth.strictness']) {
      return this.#boundToAnother(newcomer, identity.fingerprint);
    }
    if (identity.kind !== 'host') return undefined;
    if (knownHosts.get(startup.guid)?.uuid === identity.uuid) return undefined;
    // Another server may have issued it a moment ago.
    await this.#parts.lookAgain();
    const host = knownHosts.get(startup.guid);
    if (host?.uuid === identity.uuid) return undefined;
    if (host === undefined && this.#parts.health.away) {
      return { wait: 'the store is away, and this server has not read yet whose the certificate of this agent is' };
    }
    const stranger = this.#strangerTo(host?.uuid, newcomer, host);
    return stranger === undefined ? undefined : { stranger };
  }

  /** Why an agent is not that of the host which its certificate names; undefined: it is, or the certificate names none. */
  #strangerTo(
    uuid: string | undefined,
    { identity, startup, claimant }: Newcomer,
    host?: Pick<RegisteredHost, 'name'>,
  ): string | undefined {
    if (identity.kind !== 'host' || identity.uuid === uuid) return undefined;
    const whose = host === undefined ? 'which no host has' : `which is host ${host.name} (${uuid})`;
    const stranger = `the certificate is that of host ${identity.uuid}, and the agent has the guid ${startup.guid}, ${whose}`;
    this.#parts.peers.refused(claimant.address, stranger, uuid);
    return stranger;
  }

  /** A certificate that names no host belongs to the guid that is first seen with it. */
  async #boundToAnother(
    { startup: { guid }, claimant: { address } }: Newcomer,
    fingerprint: string,
  ): Promise<Mismatch | undefined> {
    const { certificates, clock, knownHosts, peers } = this.#parts;
    try {
      const bound = await certificates.bindCertificate(fingerprint, guid, clock.wallTime());
      if (bound === guid) return undefined;
      const stranger = `the certificate was first seen with the guid ${bound}, and the agent has the guid ${guid}`;
      peers.refused(address, stranger, knownHosts.get(guid)?.uuid);
      return { stranger };
    } catch (error) {
      if (!isAway(error)) throw error;
      // The store cannot say whose it is: an agent that comes from where it was last is let in.
      if (knownHosts.get(guid)?.linkAddress === address) return undefined;
      return { wait: 'the store is away, and this agent comes from another address than before' };
    }
  }
}
