import type { Clock, Timer } from '../../lib/clock.js';
import type { Log } from '../../lib/logger.js';
import type { Random } from '../../lib/random.js';
import type { FleetNetwork } from '../network/fleet-network.js';
import { chosen } from './choice.js';
import { type Fault, FaultError, objectionTo, parseFault } from './fault.js';
import { dueBy, nextMs, type Planned } from './schedule.js';
import { onAgent, onServer, type Standing } from './standing.js';

/** The agents, as faults see them. */
export interface FaultyFleet {
  /** Numbers of those that run. */
  readonly running: readonly number[];
  guidOf(agent: number): string;
  halt(agent: number, isHalted: boolean): void;
  restart(agent: number, awayMs: number): void;
}

export interface FaultDeskParts {
  readonly fleet: FaultyFleet;
  readonly network: FleetNetwork;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What has happened, for the summary and the picture. */
export interface FaultRecord {
  /** Milliseconds since the start of the fleet. */
  readonly atMs: number;
  /** How long it lasts; 0: it happens at a moment. */
  readonly forMs: number;
  readonly fault: Fault;
  readonly text: string;
  /** How many agents it happens to; undefined: it happens to connections to servers. */
  readonly agents: number | undefined;
}

/** Of more, the last ones are not kept. */
const MOST_RECORDS = 1_000;

/** Does faults to agents and connections: those of a schedule in their time, and others on command. */
export class FaultDesk {
  readonly records: FaultRecord[] = [];
  readonly #parts: FaultDeskParts;
  readonly #startedAt: number;
  /** With what ends each. */
  readonly #standing = new Map<Standing, Timer>();
  #plan: readonly Planned[] = [];
  #timer: Timer | undefined;

  constructor(parts: FaultDeskParts) {
    this.#parts = parts;
    this.#startedAt = parts.clock.now();
  }

  /** From now on these happen in their time. */
  follow(plan: readonly Planned[]): void {
    this.#plan = plan;
    this.#wait();
  }

  /** @returns what it was done to, in words @throws FaultError when the text is no fault, or cannot be done */
  command(text: string): string {
    return this.#begin(parseFault(text), text.trim());
  }

  /** Ends all faults that last. @returns how many */
  heal(): number {
    const standing = [...this.#standing.keys()];
    for (const one of standing) this.#end(one);
    return standing.length;
  }

  /** No more faults. */
  stop(): void {
    this.#timer?.cancel();
    this.#plan = [];
    this.heal();
  }

  #wait(): void {
    const due = nextMs(this.#plan);
    if (due === undefined) return;
    const { clock, log } = this.#parts;
    this.#timer = clock.after(due - this.#elapsed, () => {
      const { due: now, left } = dueBy(this.#plan, this.#elapsed);
      this.#plan = left;
      for (const { fault, text } of now) {
        try {
          log.info('Fault', { fault: text, done: this.#begin(fault, text) });
        } catch (error) {
          if (!(error instanceof FaultError)) throw error;
          log.warn('A fault cannot be done', { fault: text, reason: error.message });
        }
      }
      this.#wait();
    });
  }

  get #elapsed(): number {
    return this.#parts.clock.now() - this.#startedAt;
  }

  #begin(fault: Fault, text: string): string {
    const { fleet, network, random, log } = this.#parts;
    const objection = objectionTo(fault, network.proxies !== undefined);
    if (objection !== undefined) throw new FaultError(objection);
    const isAboutAgents = 'who' in fault;
    const agents = isAboutAgents
      ? chosen(
          fault.who,
          fleet.running,
          agent => fleet.guidOf(agent),
          () => random.uniform(),
        )
      : [];
    if (!isAboutAgents && fault.server !== undefined && network.proxies?.servers.includes(fault.server) === false) {
      log.warn('A fault is for a server to which no agent has dialled: no connection goes there', {
        ...{ fault: text, server: fault.server, servers: network.proxies.servers },
      });
    }
    if (isAboutAgents && agents.length === 0) {
      if ('guid' in fault.who) throw new FaultError(`no agent that runs is called ${fault.who.guid}`);
      return 'to no agent';
    }
    switch (fault.kind) {
      case 'kill':
        for (const agent of agents) network.reset(agent);
        break;
      case 'restart':
        for (const agent of agents) fleet.restart(agent, fault.forMs);
        break;
      case 'cut':
        network.proxies?.cut(fault.server);
        break;
      default:
        this.#stand({ fault, agents: new Set(agents) }, fault.forMs);
    }
    if (this.records.length < MOST_RECORDS) {
      const forMs = 'forMs' in fault ? fault.forMs : 0;
      this.records.push({ atMs: this.#elapsed, forMs, fault, text, agents: isAboutAgents ? agents.length : undefined });
    }
    if (!isAboutAgents) return `to connections to ${fault.server ?? 'all servers'}`;
    const [first = 0] = agents;
    return agents.length === 1 ? `to ${fleet.guidOf(first)}` : `to ${agents.length} agents`;
  }

  #stand(standing: Standing, forMs: number): void {
    this.#standing.set(
      standing,
      this.#parts.clock.after(forMs, () => this.#end(standing)),
    );
    this.#apply(standing);
  }

  #end(standing: Standing): void {
    this.#standing.get(standing)?.cancel();
    this.#standing.delete(standing);
    this.#apply(standing);
  }

  /** Makes it hold what the standing faults come to, where one of them has begun or ended. */
  #apply({ agents }: Standing): void {
    const { fleet, network } = this.#parts;
    for (const agent of agents) {
      const { isFrozen, bytesPerSecond } = onAgent(this.#standing.keys(), agent);
      network.slow(agent, bytesPerSecond);
      fleet.halt(agent, isFrozen);
    }
    network.proxies?.setFaults(server => onServer(this.#standing.keys(), server));
  }
}
