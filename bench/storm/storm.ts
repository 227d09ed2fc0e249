import type { AgentEvent } from '#dist/agent/agent-events.js';
import { hash64, uniformOf } from '#dist/mgmt/lists/score-hash.js';
import { CONSTANT, FULL_JITTER, MusterAgent, type StormAgent, WaitingAgent } from './agents.js';
import { KeyedHeap } from './keyed-heap.js';
import { type Connection, ModelledServer, type ServerEvents } from './modelled-server.js';

/** Who comes, and to what kind of server. */
export const WAYS = ['CloudStack', 'full jitter', 'Muster'] as const;
export type Way = (typeof WAYS)[number];

/** What happens. */
export interface StormInput {
  readonly way: Way;
  /** The addresses of all servers. */
  readonly servers: readonly string[];
  /** The host list of each agent that comes. */
  readonly lists: readonly (readonly string[])[];
  readonly algorithm: string;
  /** The server that dies under them, and when it is back; undefined: they are started, all at once. */
  readonly loss: { readonly server: string; readonly backAfterMs?: number | undefined } | undefined;
  /** What the lost server has told Muster's agents. */
  readonly spreadMs: number;
  /** Connections that a server brings to Ready in a second. */
  readonly rate: number;
  readonly seed: number;
}

export interface StormFigures {
  /** Dials of an agent until it is Ready. */
  readonly attempts: { readonly mean: number; readonly most: number };
  /** The most dials of all agents in a second. */
  readonly peakDials: number;
  /** Agents that gave up a connection which the server still had, and dialled again. */
  readonly repeated: number;
  /** Dials that nothing listened to. */
  readonly refused: number;
  /** Connections that a server closed before Ready. */
  readonly closed: number;
  /** Agents that were not Ready when the time was over. */
  readonly notReady: number;
  /** From the moment when the servers can be reached to the last Ready. */
  readonly lastReadyMs: number;
}

/** How long a storm is watched. */
const WATCHED_MS = 30 * 60_000;
/** All of a dead server's links end within this time. */
const NOTICED_MS = 10;
/** Each way between an agent and a server. */
const NETWORK_MS = 1;
/** The agents have been Ready for so long. */
const QUIET_MS = 3_600_000;
/** The work for a connection differs by this part at most: some agents are slower, some rows larger. */
const WORK_DIFFERS = 0.5;

interface StormConnection extends Connection {
  readonly agent: number;
  readonly dial: number;
  readonly server: ModelledServer<StormConnection>;
}

/** The same seed gives the same numbers. */
function uniformNumbers(seed: number): () => number {
  const one = hash64(String(seed));
  let drawn = 0;
  return () => uniformOf(one, hash64(String(drawn++)));
}

export function runStorm(input: StormInput): StormFigures {
  return new Storm(input).run();
}

class Storm implements ServerEvents<StormConnection> {
  readonly #input: StormInput;
  readonly #random: () => number;
  readonly #happenings = new KeyedHeap<(now: number) => void>();
  readonly #servers = new Map<string, ModelledServer<StormConnection>>();
  readonly #wakes = new Map<ModelledServer<StormConnection>, number>();
  readonly #agents: StormAgent[];
  /** By agent. */
  readonly #attempts: number[];
  readonly #connections: (StormConnection | undefined)[] = [];
  readonly #isReady: boolean[] = [];
  readonly #hasGivenUp: boolean[] = [];
  readonly #repeated = new Set<number>();
  /** By the second. */
  readonly #dials: number[] = [];
  #refused = 0;
  #closed = 0;
  #readyCount = 0;
  #lastReadyAt = 0;

  constructor(input: StormInput) {
    this.#input = input;
    this.#random = uniformNumbers(input.seed);
    this.#agents = input.lists.map(list => agentOf(input, list, this.#random));
    this.#attempts = input.lists.map(() => 0);
  }

  run(): StormFigures {
    const { servers, loss, lists } = this.#input;
    for (const server of servers) if (server !== loss?.server) this.#open(server);
    for (const index of lists.keys()) {
      if (loss === undefined) this.#schedule(index, QUIET_MS);
      else this.#looseAfterQuiet(index);
    }
    const backAfterMs = loss?.backAfterMs;
    if (loss !== undefined && backAfterMs !== undefined)
      this.#happenings.push(QUIET_MS + backAfterMs, () => this.#open(loss.server));
    const from = QUIET_MS + (backAfterMs ?? 0);
    while (
      this.#readyCount < lists.length &&
      (this.#happenings.firstKey ?? Number.POSITIVE_INFINITY) < from + WATCHED_MS
    ) {
      const now = this.#happenings.firstKey ?? 0;
      this.#happenings.pop()?.(now);
    }
    return {
      attempts: {
        mean: this.#attempts.reduce((sum, one) => sum + one, 0) / lists.length,
        most: this.#attempts.reduce((most, one) => Math.max(most, one), 0),
      },
      peakDials: this.#dials.reduce((most = 0, one = 0) => Math.max(most, one), 0),
      repeated: this.#repeated.size,
      refused: this.#refused,
      closed: this.#closed,
      notReady: lists.length - this.#readyCount,
      lastReadyMs: this.#lastReadyAt - from,
    };
  }

  // ---- what servers do

  secured(): void {}

  ready(connection: StormConnection, now: number): void {
    this.#after(NETWORK_MS, now, then => {
      if (this.#connections[connection.agent] !== connection) return;
      this.#isReady[connection.agent] = true;
      this.#readyCount++;
      this.#lastReadyAt = then;
      this.#tell(connection.agent, { kind: 'ready', id: connection.dial, update: {} }, then);
    });
  }

  closed(connection: StormConnection, now: number): void {
    this.#closed++;
    this.#after(NETWORK_MS, now, then => this.#fail(connection, 'closed by the server', then));
  }

  wakeAt(server: ModelledServer<StormConnection>, at: number): void {
    const wake = (this.#wakes.get(server) ?? 0) + 1;
    this.#wakes.set(server, wake);
    this.#happenings.push(at, now => {
      if (this.#wakes.get(server) === wake) server.wake(now);
    });
  }

  #open(address: string): void {
    const { rate, way } = this.#input;
    this.#servers.set(address, new ModelledServer(rate, way === 'Muster' ? 'turns' : 'all', this));
  }

  // ---- what agents do

  /** An agent that was Ready for a long time loses its link. */
  #looseAfterQuiet(index: number): void {
    const agent = this.#agents[index];
    for (const effect of agent?.on({ kind: 'tick' }, 0) ?? []) {
      if (effect.kind !== 'dial') continue;
      const { id } = effect;
      agent?.on({ kind: 'connected', id }, 0);
      agent?.on({ kind: 'ready', id, update: { spreadMs: this.#input.spreadMs } }, 0);
      const lost = { kind: 'lost', id, why: 'the server is gone', how: 'closed' } as const;
      this.#happenings.push(QUIET_MS + NOTICED_MS * this.#random(), now => this.#tell(index, lost, now));
    }
  }

  #tell(index: number, event: AgentEvent, now: number): void {
    const agent = this.#agents[index];
    for (const effect of agent?.on(event, now) ?? []) {
      if (effect.kind === 'dial') this.#dial(index, effect.id, effect.host, now);
      else if (effect.kind === 'proceed') this.#proceed(index, effect.id, now);
    }
    if (!this.#isReady[index]) this.#schedule(index, now);
  }

  #schedule(index: number, now: number): void {
    const dueAt = this.#agents[index]?.dueAt;
    if (dueAt === undefined) return;
    this.#happenings.push(Math.max(now, dueAt), then => {
      if (this.#agents[index]?.dueAt === dueAt) this.#tell(index, { kind: 'tick' }, then);
    });
  }

  #dial(index: number, id: number, host: string, now: number): void {
    this.#attempts[index] = (this.#attempts[index] ?? 0) + 1;
    const second = Math.floor((now - QUIET_MS) / 1_000);
    this.#dials[second] = (this.#dials[second] ?? 0) + 1;
    if (this.#hasGivenUp[index]) this.#repeated.add(index);
    this.#after(2 * NETWORK_MS, now, then => {
      const server = this.#servers.get(host);
      if (server === undefined) {
        this.#refused++;
        this.#tell(index, { kind: 'dial-failed', id, why: 'refused', how: 'connection-refused' }, then);
        return;
      }
      this.#connections[index] = {
        agent: index,
        dial: id,
        server,
        network: String(index),
        work: 1 - WORK_DIFFERS + 2 * WORK_DIFFERS * this.#random(),
        stage: 'unread',
        isAbandoned: false,
      };
      this.#tell(index, { kind: 'connected', id }, then);
    });
  }

  #proceed(index: number, id: number, now: number): void {
    const connection = this.#connections[index];
    if (connection === undefined || connection.dial !== id) return;
    connection.server.accept(connection, now);
    this.#after(this.#agents[index]?.handshakeLimitMs ?? 0, now, then => {
      if (connection.stage !== 'unread' && connection.stage !== 'handshake') return;
      connection.server.abandon(connection, then);
      this.#hasGivenUp[index] = true;
      this.#fail(connection, 'TLS took too long', then);
    });
  }

  #fail(connection: StormConnection, why: string, now: number): void {
    if (this.#connections[connection.agent] !== connection) return;
    this.#connections[connection.agent] = undefined;
    this.#tell(connection.agent, { kind: 'dial-failed', id: connection.dial, why, how: 'other' }, now);
  }

  #after(ms: number, now: number, happening: (now: number) => void): void {
    this.#happenings.push(now + ms, happening);
  }
}

/** @param random uniform in [0, 1) */
export function agentOf(
  { way, algorithm }: Pick<StormInput, 'way' | 'algorithm'>,
  hosts: readonly string[],
  random: () => number,
): StormAgent {
  if (way === 'Muster') return new MusterAgent(hosts, algorithm, random);
  return new WaitingAgent(hosts, way === 'CloudStack' ? CONSTANT : FULL_JITTER, random);
}
