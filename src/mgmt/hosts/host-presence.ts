import { Emitter, type Events } from '../../lib/emitter.js';
import type { Log } from '../../lib/logger.js';
import type { KnownHost } from './known-hosts.js';
import { next, type Presence, type PresenceEvent } from './presence-state.js';

/** Which host it is. */
export interface HostMoment {
  /** Its number, as `send` takes it. */
  readonly id: number;
  /** As its agent calls the machine. Two hosts may have the same. */
  readonly name: string;
}

/** What a server tells of hosts: see `ManagementServer.on`. */
export interface HostEvents {
  /** The host's agent is Ready here, and was not before. */
  readonly ready: HostMoment;
  /** The host's agent has left, or its link has failed; `reason` is for people. Nobody knows yet where it is. */
  readonly lost: HostMoment & { readonly reason: string };
  /** The host was here, and the server `msid` has it now; null: that one has lost it meanwhile. */
  readonly moved: HostMoment & { readonly msid: number | null };
}

/** Tells when hosts come to this server, and leave it. */
export class HostPresence {
  readonly #msid: number;
  readonly #byId: (id: number) => KnownHost | undefined;
  readonly #emitter: Emitter<HostEvents>;
  readonly #presence = new Map<number, Exclude<Presence, undefined>>();

  /** @param byId what is known of a host */
  constructor(msid: number, log: Log, byId: (id: number) => KnownHost | undefined) {
    this.#msid = msid;
    this.#byId = byId;
    this.#emitter = new Emitter(log);
  }

  get events(): Events<HostEvents> {
    return this.#emitter;
  }

  /** The host is Ready here. */
  ready({ id, name }: HostMoment): void {
    this.#on({ id, name }, 'ready');
  }

  /** The host has no link here any more. It may never have been Ready here. */
  lost({ id, name }: HostMoment, reason: string): void {
    this.#on({ id, name }, 'lost', reason);
    // It was removed before its link ended: no row of it says anything more.
    if (this.#byId(id) === undefined) this.forget(id);
  }

  /** The host's row was read. */
  learn({ id, name, status, msid }: KnownHost): void {
    if (status === 'Up' && msid !== null) this.#on({ id, name }, msid === this.#msid ? 'ours' : 'elsewhere');
  }

  /** The host was removed. */
  forget(id: number): void {
    if (this.#presence.get(id) === 'left') this.#presence.delete(id);
  }

  #on(host: HostMoment, event: PresenceEvent, reason = ''): void {
    const { presence, says } = next(this.#presence.get(host.id), event);
    if (presence === undefined) this.#presence.delete(host.id);
    else this.#presence.set(host.id, presence);
    if (says === 'ready') this.#emitter.emit('ready', host);
    if (says === 'lost') this.#emitter.emit('lost', { ...host, reason });
    if (says === 'moved') this.#emitter.emit('moved', { ...host, msid: this.#byId(host.id)?.msid ?? null });
  }
}
