import type { Clock } from '../../lib/clock.js';
import type { Log } from '../../lib/logger.js';
import { ContestedHosts } from './contested-hosts.js';
import type { KnownHost, KnownHosts } from './known-hosts.js';
import type { Ownership } from './ownership.js';
import { correctionOf, type OwnHost, type ServerLife } from './reconcile.js';

export interface HostReconcilerParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly msid: number;
  readonly knownHosts: Pick<KnownHosts, 'byId'>;
  readonly ownership: Pick<Ownership, 'again' | 'abandon' | 'epochOf' | 'isPending' | 'release'>;
  /** The links of this server's agents. */
  readonly links: HostLinks;
  /** How another server looks from here: one that lives may have hosts, also while it drains. */
  lifeOf(msid: number): ServerLife;
}

/** The links of this server, by host. */
export interface HostLinks {
  linkOf(hostId: number): OwnHost['link'];
  /** The hosts with a Ready link. */
  readyHosts(): Iterable<number>;
  /** Asks the agent over the Ready link of a host whether it is there. Never rejects. */
  answers(hostId: number): Promise<boolean>;
  /** Ends the Ready link of a host. */
  close(hostId: number, why: string): void;
}

/** Hosts that are compared in one turn of the event loop. */
const COMPARED_PER_TURN = 1_000;
const NO_LINK = 'its management server has no link to it';
const NEVER_READY = 'the agent did not become Ready';

/**
 * Compares the rows of hosts with this server's links, and corrects what differs, whatever caused it: a call that failed
 * and was committed, a process that was killed, an agent that left at the wrong moment.
 */
export class HostReconciler {
  readonly #parts: HostReconcilerParts;
  readonly #contested = new ContestedHosts();
  /** Hosts whose rows say that this server has them. */
  readonly #own = new Set<number>();
  /** The epochs of rows under which agents have answered over their links here, and those that are being asked. */
  readonly #answered = new Map<number, number>();
  readonly #asked = new Set<number>();
  /** Since when rows are Connecting, by the clock; those that changed begin anew. */
  readonly #connecting = new Map<
    number,
    { readonly epoch: number; readonly changed?: number | undefined; since: number }
  >();

  constructor(parts: HostReconcilerParts) {
    this.#parts = parts;
  }

  /** A row was read. */
  learn({ id, msid, status, epoch, changed }: KnownHost): void {
    if (msid === this.#parts.msid) this.#own.add(id);
    else this.#own.delete(id);
    if (status !== 'Connecting') {
      this.#connecting.delete(id);
      return;
    }
    const known = this.#connecting.get(id);
    if (known?.epoch === epoch && known.changed === changed) return;
    this.#connecting.set(id, { epoch, changed, since: this.#parts.clock.now() });
  }

  /** The host was removed. */
  forget(hostId: number): void {
    this.#own.delete(hostId);
    this.#connecting.delete(hostId);
    this.#contested.settle(hostId);
    this.#answered.delete(hostId);
  }

  /** Compares all that this server has or should have, and all that is Connecting. */
  async pass(): Promise<void> {
    const { clock, links } = this.#parts;
    let compared = 0;
    // A host may be among several of them: to compare it twice does no harm.
    for (const hostIds of [links.readyHosts(), this.#own, this.#connecting.keys()]) {
      for (const hostId of hostIds) {
        this.#compare(hostId);
        if (++compared % COMPARED_PER_TURN === 0) await clock.turn();
      }
    }
    for (const hostId of this.#contested.due(clock.now())) {
      links.close(hostId, 'another management server has the host');
    }
  }

  #compare(hostId: number): void {
    const { clock, log, knownHosts, ownership, links, msid } = this.#parts;
    const row = knownHosts.byId(hostId);
    if (row === undefined) return;
    const own = {
      link: links.linkOf(hostId),
      isPending: ownership.isPending(hostId),
      epoch: ownership.epochOf(hostId),
      answeredEpoch: this.#answered.get(hostId),
    };
    const connectingSince = this.#connecting.get(hostId)?.since ?? clock.now();
    const input = { msid, lifeOf: this.#parts.lifeOf, connectingMs: clock.now() - connectingSince };
    const correction = correctionOf(row, own, input);
    if (correction.kind === 'contested') this.#contested.note(hostId, correction.epoch, clock.now());
    else this.#contested.settle(hostId);
    if (correction.kind === 'none') this.#answered.delete(hostId);
    switch (correction.kind) {
      case 'ask':
        void this.#ask(hostId, correction.epoch);
        break;
      case 'release':
        log.warn('The store has a host on this server that has no link here', { hostId });
        ownership.release(hostId, correction.epoch, NO_LINK);
        break;
      case 'take back':
        log.warn('The store does not have a host on this server whose link is here', { hostId });
        ownership.again(hostId);
        break;
      case 'abandon':
        ownership.abandon(hostId, correction, NEVER_READY);
    }
  }

  /** The next pass knows what has come of it. */
  async #ask(hostId: number, epoch: number): Promise<void> {
    if (this.#asked.has(hostId)) return;
    this.#asked.add(hostId);
    const isThere = await this.#parts.links.answers(hostId);
    this.#asked.delete(hostId);
    // It may have been removed meanwhile.
    if (isThere && this.#parts.knownHosts.byId(hostId) !== undefined) this.#answered.set(hostId, epoch);
  }
}
