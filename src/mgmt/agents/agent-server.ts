import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import { reasonOf } from '../../lib/errors.js';
import { acceptTls, LIMITS, type Link, MemoryBudget, type RemoteEnd, type Transport } from '../../protocol/index.js';
import { MGMT_LIMITS } from '../config/limits.js';
import { type ConversationParts, converse, type IgnoredReason } from './conversation.js';

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
  readonly #budget = new MemoryBudget(LIMITS.allPacketBytesBeforeReady);
  readonly #handshaking = new Set<Duplex>();
  /** All links; those that are Ready are in the registry. */
  readonly #links = new Set<Link>();
  /** Links whose peer has sent a Startup. */
  readonly #started = new Set<Link>();
  /** Connections that have not sent a Startup. */
  #newConnections = 0;
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
    return Math.max(0, this.#started.size - this.#parts.registry.size);
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
    this.#newConnections++;
    const transport = await this.#secure(socket, remote);
    if (transport === undefined) this.#newConnections--;
    else if (!this.#isOpen || !this.#parts.takesAgents()) transport.destroy();
    else {
      this.serveTransport(transport, () => {
        this.#newConnections--;
      });
    }
  }

  /** A secured connection, from wherever it comes. @param onStarted once it has sent a Startup, or has ended */
  serveTransport(transport: Transport, onStarted?: () => void): void {
    const link = converse(transport, this.#conversation, {
      onStarted: started => {
        onStarted?.();
        if (!started.closed) this.#started.add(started);
      },
      onEnd: ended => {
        this.#links.delete(ended);
        this.#started.delete(ended);
      },
    });
    if (!link.closed) this.#links.add(link);
  }

  /** Closes every connection that is not Ready: its agent goes to another server. */
  closeArriving(): void {
    const ready = new Set([...this.#parts.registry].map(({ link }) => link));
    for (const socket of this.#handshaking) socket.destroy();
    for (const link of [...this.#links]) if (!ready.has(link)) link.close('this server takes no agents now');
  }

  /**
   * Accepts nothing more, and ends what is there.
   * @param how `orderly`: links end by FIN, behind what is queued; `now`: at once
   */
  close(how: 'orderly' | 'now'): void {
    this.#isOpen = false;
    for (const socket of this.#handshaking) socket.destroy();
    for (const link of [...this.#links]) {
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

  #isFull(): boolean {
    const { values } = this.#parts.lists.configuration;
    return this.#newConnections >= (values['agent.max.concurrent.new.connections'] || MGMT_LIMITS.newConnections);
  }
}
