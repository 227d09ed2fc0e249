import { Histogram, type Percentiles } from './histogram.js';

/** Where the agents are. */
export interface Census {
  /** Ready links by management server, sorted by its address. */
  readonly ready: ReadonlyMap<string, number>;
  /** Agents that run, without a Ready link. */
  readonly notReady: number;
  /** Agents that do not run: they have not been started yet, or are away. */
  readonly away: number;
  /** Ready links lost since the start. */
  readonly linksLost: number;
}

/** Agents with a Ready link. */
export function readyIn({ ready }: Pick<Census, 'ready'>): number {
  return [...ready.values()].reduce((sum, count) => sum + count, 0);
}

/** What has been measured so far. Times are in milliseconds. */
export interface Measured {
  /** TCP connections that agents have tried to open, whatever came of them. */
  readonly dials: DialCount;
  /** Links that became Ready. */
  readonly connects: number;
  /** Of them, those that replaced one that was well. */
  readonly moves: number;
  readonly linksLost: number;
  /** Links that became Ready, on the average, until as many had as there are agents. */
  readonly connectsPerSecond: number;
  /**
   * From the start of an agent to its first Ready link. An agent that has had none since its start, or has not been started, has
   * a time without an end.
   */
  readonly toReady: Percentiles | undefined;
  /** From the loss of a Ready link to the next one; for agents that have none yet, until now. */
  readonly gap: Percentiles | undefined;
  /** For how long the ramp has stood still, because this process was busy. */
  readonly rampHeldMs: number;
}

export interface DialCount {
  readonly count: number;
  /** In the busiest second of the clock. */
  readonly mostInASecond: number;
}

/** No moment: the clock has none below 0. */
const NEVER = -1;
const NOWHERE = -1;

/**
 * Accounts for what agents tell of their links: how long it took until they were Ready, and how long they were without a
 * Ready link. Agents are numbers from 1. Moments are milliseconds of one clock, and come in their order.
 */
export class Ledger {
  readonly agents: number;
  /** When it was started, while it has had no Ready link since. */
  readonly #startedAt: Float64Array;
  /** 1 for each that has ever had a Ready link. */
  readonly #wasReady: Uint8Array;
  /** When it lost its Ready link, while it has no other. */
  readonly #lostAt: Float64Array;
  /** The index in `#hosts` of where it is Ready. */
  readonly #host: Int32Array;
  readonly #hosts: string[] = [];
  readonly #readyOn: number[] = [];
  /** When the first agent was started, and when as many links had become Ready as there are agents. */
  #firstAt: number | undefined;
  #fullAt: number | undefined;
  #running = 0;
  #ready = 0;
  #connects = 0;
  #moves = 0;
  #linksLost = 0;
  #dials = 0;
  /** The second of the clock in which the last dial began, and how many have begun in it. */
  #second = NEVER;
  #dialsInSecond = 0;
  #mostDials = 0;
  #rampHeldMs = 0;
  readonly #toReady = new Histogram();
  readonly #gap = new Histogram();

  constructor(agents: number) {
    this.agents = agents;
    this.#startedAt = new Float64Array(agents + 1).fill(NEVER);
    this.#wasReady = new Uint8Array(agents + 1);
    this.#lostAt = new Float64Array(agents + 1).fill(NEVER);
    this.#host = new Int32Array(agents + 1).fill(NOWHERE);
  }

  started(agent: number, at: number): void {
    this.#firstAt ??= at;
    this.#startedAt[agent] = at;
    this.#running++;
  }

  /** An agent tries to open a TCP connection. */
  dialled(at: number): void {
    const second = Math.floor(at / 1_000);
    if (second !== this.#second) this.#dialsInSecond = 0;
    this.#second = second;
    this.#dials++;
    this.#mostDials = Math.max(this.#mostDials, ++this.#dialsInSecond);
  }

  /** The ramp has stood still for so long since its start. */
  rampHeld(ms: number): void {
    this.#rampHeldMs = ms;
  }

  ready(agent: number, host: string, at: number): void {
    const [startedAt = NEVER, lostAt = NEVER] = [this.#startedAt[agent], this.#lostAt[agent]];
    if (lostAt !== NEVER) this.#gap.add(at - lostAt);
    else if (startedAt !== NEVER) this.#toReady.add(at - startedAt);
    this.#startedAt[agent] = NEVER;
    this.#lostAt[agent] = NEVER;
    this.#wasReady[agent] = 1;
    this.#connected(agent, host, at);
  }

  moved(agent: number, host: string, at: number): void {
    this.#moves++;
    this.#connected(agent, host, at);
  }

  lost(agent: number, at: number): void {
    this.#linksLost++;
    this.#lostAt[agent] = at;
    this.#isNowhere(agent);
  }

  /** A server has told it to dial no more: it waits for nothing. */
  idle(agent: number): void {
    this.#startedAt[agent] = NEVER;
    this.#lostAt[agent] = NEVER;
  }

  /** It was stopped: from now on it waits for nothing. */
  stopped(agent: number): void {
    this.#running--;
    this.idle(agent);
    this.#isNowhere(agent);
  }

  get readyCount(): number {
    return this.#ready;
  }

  get dials(): number {
    return this.#dials;
  }

  get connects(): number {
    return this.#connects;
  }

  get census(): Census {
    const ready = this.#hosts
      .map((host, index) => [host, this.#readyOn[index] ?? 0] as const)
      .filter(([, count]) => count > 0)
      .sort(([one], [other]) => (one < other ? -1 : 1));
    return {
      ready: new Map(ready),
      notReady: this.#running - this.#ready,
      away: this.agents - this.#running,
      linksLost: this.#linksLost,
    };
  }

  measured(now: number): Measured {
    return {
      dials: { count: this.#dials, mostInASecond: this.#mostDials },
      connects: this.#connects,
      moves: this.#moves,
      linksLost: this.#linksLost,
      connectsPerSecond: this.#rate(now),
      toReady: this.#toReady.percentiles(this.#withoutReady()),
      gap: this.#gap.percentiles(known(this.#lostAt).map(lostAt => now - lostAt)),
      rampHeldMs: this.#rampHeldMs,
    };
  }

  /** A time without an end for each agent that waits for its first Ready link, or has never had one. */
  #withoutReady(): readonly number[] {
    const isWithout = (startedAt: number, agent: number) =>
      agent > 0 && (startedAt !== NEVER || this.#wasReady[agent] === 0);
    return Array.from(this.#startedAt.filter(isWithout), () => Number.POSITIVE_INFINITY);
  }

  #rate(now: number): number {
    const seconds = ((this.#fullAt ?? now) - (this.#firstAt ?? now)) / 1_000;
    return seconds > 0 ? Math.min(this.#connects, this.agents) / seconds : 0;
  }

  #connected(agent: number, host: string, at: number): void {
    if (++this.#connects === this.agents) this.#fullAt = at;
    this.#isNowhere(agent);
    let index = this.#hosts.indexOf(host);
    if (index === NOWHERE) index = this.#hosts.push(host) - 1;
    this.#host[agent] = index;
    this.#readyOn[index] = (this.#readyOn[index] ?? 0) + 1;
    this.#ready++;
  }

  #isNowhere(agent: number): void {
    const index = this.#host[agent] ?? NOWHERE;
    if (index === NOWHERE) return;
    this.#host[agent] = NOWHERE;
    this.#readyOn[index] = (this.#readyOn[index] ?? 0) - 1;
    this.#ready--;
  }
}

function known(moments: Float64Array): readonly number[] {
  return [...moments].filter(at => at !== NEVER);
}
