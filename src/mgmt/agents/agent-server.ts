import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import { reasonOf } from '../../lib/errors.js';
import { acceptTls, type Link, MemoryBudget, type RemoteEnd, type Transport } from '../../protocol/index.js';
import { MGMT_LIMITS } from '../config/limits.js';
import { type ConversationParts, converse, type IgnoredReason, type LinkStage } from './conversation.js';

export interface AgentServerParts extends Omit<ConversationParts, 'countIgnored'> {
  /** The TLS context for the next connection. */
  secureContext(): SecureContext;
  /** Whether connections are served now. If not, they are closed at once. */
  takesAgents(): boolean;
}

/** How many packets were not handled, by reason. */
export type Ignored = Readonly<Record<IgnoredReason, number>>;

/** Accepts connections, secures them, and has a conversation on each. It has no sockets of its own. */
export class AgentServer {
  readonly #parts: AgentServerParts;
  readonly #conversation: ConversationParts;
  readonly #ignored = { 'not for this server': 0, 'before Startup': 0 };
  readonly #budget = new MemoryBudget();
  readonly #handshaking = new Set<Duplex>();
  readonly #links = new Map<Link, LinkStage>();
  readonly #count: Record<LinkStage, number> = { new: 0, arriving: 0, ready: 0 };
  #turnedAway = 0;
  #isOpen = false;

  constructor(parts: AgentServerParts) {
    this.#parts = parts;
    this.#conversation = {
      ...parts,
      countIgnored: why => {
        this.#ignored[why]++;
      },
    };
  }

  /** Links that have registered, or try to, and are not Ready yet. */
  get arriving(): number {
    return this.#count.arriving;
  }

  get ignored(): Ignored {
    return { ...this.#ignored };
  }

  /** Connections that were closed at once. */
  get turnedAway(): number {
    return this.#turnedAway;
  }

  /** From now on connections are served. */
  open(): void {
    this.#isOpen = true;
  }

  /** A connection that was just accepted: secured, then served until its end. */
  async serve(socket: Duplex, remote: RemoteEnd): Promise<void> {
    if (!this.#isOpen || !this.#parts.takesAgents() || this.#isFull()) {
      // As CloudStack does when it has enough to do: agents take it for a host that is down, and go on.
      this.#turnedAway++;
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    const transport = await this.#secure(socket, remote);
    if (transport === undefined) return;
    if (this.#isOpen && this.#parts.takesAgents()) this.serveTransport(transport);
    else transport.destroy();
  }

  /** A secured connection, from wherever it comes. */
  serveTransport(transport: Transport): void {
    const link = converse(transport, this.#conversation, {
      onStage: (changed, stage) => this.#setStage(changed, stage),
      onEnd: ended => this.#setStage(ended, undefined),
    });
    if (!link.closed && !this.#links.has(link)) this.#setStage(link, 'new');
  }

  /** @param stage undefined: the link has ended */
  #setStage(link: Link, stage: LinkStage | undefined): void {
    const former = this.#links.get(link);
    if (former !== undefined) this.#count[former]--;
    if (stage === undefined) this.#links.delete(link);
    else {
      this.#links.set(link, stage);
      this.#count[stage]++;
    }
  }

  /** Closes every connection that is not Ready: its agent goes to another server. */
  closeArriving(): void {
    for (const socket of this.#handshaking) socket.destroy();
    for (const [link, stage] of [...this.#links]) if (stage !== 'ready') link.close('this server takes no agents now');
  }

  /**
   * Accepts nothing more, and ends what is there.
   * @param how `orderly`: links end by FIN, behind what is queued; `now`: at once
   */
  close(how: 'orderly' | 'now'): void {
    this.#isOpen = false;
    for (const socket of this.#handshaking) socket.destroy();
    for (const link of [...this.#links.keys()]) {
      if (how === 'orderly') link.close('the server stops');
      else link.destroy('the server stops');
    }
  }

  /** @returns undefined when there was no TLS handshake */
  async #secure(socket: Duplex, remote: RemoteEnd): Promise<Transport | undefined> {
    const { clock, log, lists, secureContext } = this.#parts;
    this.#handshaking.add(socket);
    try {
      return await acceptTls(socket, {
        clock,
        context: secureContext(),
        handshakeTimeoutMs: lists.configuration.values['agent.ssl.handshake.timeout'] * 1_000,
        remote,
        budget: this.#budget,
      });
    } catch (error) {
      // Agents that probe a host do this, and so do port scanners.
      log.debug('No TLS handshake', { address: remote.address, reason: reasonOf(error) });
      return undefined;
    } finally {
      this.#handshaking.delete(socket);
    }
  }

  /** Connections that have not registered, those in their handshake included, are bounded. */
  #isFull(): boolean {
    const { values } = this.#parts.lists.configuration;
    return (
      this.#handshaking.size + this.#count.new >=
      (values['agent.max.concurrent.new.connections'] || MGMT_LIMITS.newConnections)
    );
  }
}
