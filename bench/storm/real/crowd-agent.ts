import { connect, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { AgentEvent, DialFailure, Effect, HostUpdate } from '#dist/agent/agent-events.js';
import { codeOf } from '#dist/lib/errors.js';
import { connectTls, type RawPacket } from '#dist/protocol/index.js';
import { registerLean } from '../../agents/lean-agent.js';
import type { LoadAgent } from '../../agents/load-agent.js';
import type { StormAgent } from '../agents.js';

/** What an agent of a crowd needs. */
export interface CrowdAgentParts {
  readonly guid: string;
  /** Of its own, from which it dials. */
  readonly address: string;
  /** Of all servers. */
  readonly port: number;
  readonly context: SecureContext;
  /** What it does and suffers. */
  note(what: CrowdEvent): void;
}

/**
 * `refused`: nothing has listened to a dial; `closed`: a server has closed a connection before Ready; `gave-up`: the agent
 * has, for TLS took too long.
 */
export type CrowdEvent = 'dialled' | 'refused' | 'closed' | 'gave-up' | 'ready' | 'lost';

interface Dial {
  readonly id: number;
  readonly host: string;
  readonly socket: Socket;
  link?: LoadAgent;
}

/** The sockets and the timer of one agent; what it does is decided by a `StormAgent`. */
export class CrowdAgent {
  readonly #agent: StormAgent;
  readonly #parts: CrowdAgentParts;
  /** Under way or Ready, by number: the next host is dialled beside one that does not answer at once. */
  readonly #dials = new Map<number, Dial>();
  #timer: NodeJS.Timeout | undefined;

  constructor(agent: StormAgent, parts: CrowdAgentParts) {
    this.#agent = agent;
    this.#parts = parts;
  }

  /** The host to which it is Ready. */
  get host(): string | undefined {
    return this.#ready?.host;
  }

  start(): void {
    this.#sleep();
  }

  /** A ping to its server, which answers with what has changed. */
  ping(): Promise<void> {
    const link = this.#ready?.link;
    return new Promise(resolve => (link === undefined ? resolve() : link.ping(resolve)));
  }

  get #ready(): Dial | undefined {
    return [...this.#dials.values()].find(({ link }) => link !== undefined);
  }

  #tell(event: AgentEvent): void {
    for (const effect of this.#agent.on(event, performance.now())) this.#carryOut(effect);
    this.#sleep();
  }

  #sleep(): void {
    clearTimeout(this.#timer);
    const { dueAt } = this.#agent;
    if (dueAt === undefined) return;
    this.#timer = setTimeout(() => this.#tell({ kind: 'tick' }), Math.max(0, dueAt - performance.now()));
  }

  #carryOut(effect: Effect): void {
    if (effect.kind === 'dial') this.#open(effect.id, effect.host);
    const dial = 'id' in effect ? this.#dials.get(effect.id) : undefined;
    if (dial === undefined) return;
    if (effect.kind === 'proceed') void this.#register(dial);
    else if (effect.kind === 'give-up') dial.socket.destroy(new Error(effect.why));
    else if (effect.kind === 'drop') {
      this.#dials.delete(dial.id);
      dial.socket.destroy();
    }
  }

  #open(id: number, host: string): void {
    const { address, port } = this.#parts;
    this.#parts.note('dialled');
    const socket = connect({ host, port, localAddress: address, noDelay: true });
    const dial = { id, host, socket };
    this.#dials.set(id, dial);
    const onError = (error: Error) => this.#fail(dial, error);
    socket.once('error', onError);
    socket.once('connect', () => {
      socket.off('error', onError);
      this.#tell({ kind: 'connected', id });
    });
  }

  async #register(dial: Dial): Promise<void> {
    const { guid, context, port } = this.#parts;
    const { id, host, socket } = dial;
    try {
      const options = { context, host, handshakeTimeoutMs: this.#agent.handshakeLimitMs, judge() {} };
      const transport = await connectTls(socket, { ...options, remote: { address: host, port } });
      dial.link = await registerLean(transport, guid, {
        onReady: packet => this.#tell({ kind: 'ready', id, update: updateOf(packet) }),
        onPingAnswer: packet => this.#tell({ kind: 'update', id, update: updateOf(packet), checkNow: false }),
        onEnd: () => this.#onEnd(dial),
      });
    } catch (error) {
      this.#fail(dial, error);
      return;
    }
    this.#parts.note('ready');
  }

  #onEnd({ id }: Dial): void {
    if (!this.#dials.delete(id)) return;
    this.#parts.note('lost');
    this.#tell({ kind: 'lost', id, why: 'the server is gone', how: 'closed' });
  }

  #fail({ id }: Dial, error: unknown): void {
    // One that was dropped is of no interest.
    if (!this.#dials.delete(id)) return;
    const code = codeOf(error);
    this.#parts.note(code === 'ECONNREFUSED' ? 'refused' : code === 'HANDSHAKE_TIMEOUT' ? 'gave-up' : 'closed');
    const how: DialFailure = code === 'ECONNREFUSED' ? 'connection-refused' : 'other';
    this.#tell({ kind: 'dial-failed', id, why: String(error), how });
  }
}

/** What a server says of the spread, in Ready and in the answer to a ping. */
function updateOf({ body }: RawPacket): HostUpdate {
  const [, spreadMs] = /"spreadMs":(\d+)/.exec(body.bytes.toString('latin1')) ?? [];
  return spreadMs === undefined ? {} : { spreadMs: Number(spreadMs) };
}
