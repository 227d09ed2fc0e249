import type { Dialer, Resource, Trust } from '../agent/index.js';
import type { LinkEvent } from '../agent/link-events.js';
import type { Clock, Timer } from '../lib/clock.js';
import { reasonOf } from '../lib/errors.js';
import type { Disk } from '../lib/files/disk.js';
import { type Log, type LogFields, silentLog } from '../lib/logger.js';
import type { Random } from '../lib/random.js';
import { FleetAgent } from './fleet-agent.js';
import { Ramp } from './load/ramp.js';
import { Ledger } from './measure/ledger.js';
import type { FleetNetwork } from './network/fleet-network.js';
import type { FleetSettings } from './settings.js';

export interface FleetParts {
  readonly settings: FleetSettings;
  /** Agent n keeps its agent.properties in `<folder>/<guid>/`. */
  readonly folder: string;
  /** Where the folder is. */
  readonly disk: Disk;
  /** Has the CA of all agents that have none of their own. */
  readonly trust: Trust;
  readonly network: FleetNetwork;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What answers the commands of an agent. */
  resourceOf(agent: number, guid: string): Resource;
}

/** The others do not wait longer than this for the first agent. */
const FIRST_AGENT_LIMIT_MS = 2_000;

/** Many agents in one process: when they start, restart and stop, and what they tell. */
export class Fleet {
  readonly ledger: Ledger;
  readonly #parts: FleetParts;
  readonly #agents: readonly FleetAgent[];
  #ramp: Ramp | undefined;
  /** Agents from the first to this one have been started. */
  #started = 0;
  #isHeldTold = false;
  #timer: Timer | undefined;
  #churn: Timer | undefined;
  readonly #away = new Map<number, Timer>();
  readonly #halted = new Set<number>();
  #isStopping = false;

  private constructor(parts: FleetParts) {
    this.#parts = parts;
    const { agentCount, guidPrefix, agentDefaults, pingIntervalMs } = parts.settings;
    this.ledger = new Ledger(agentCount);
    const { folder, disk, trust, clock, random, network } = parts;
    const shared = {
      ...{ guidPrefix, agentDefaults, pingIntervalMs, folder, disk, trust, clock, random },
      resourceOf: parts.resourceOf,
      dialerOf: (agent: number) => noting(network.dialerOf(agent), () => this.ledger.dialled(clock.now())),
      logOf: (agent: number, guid: string) => this.#logOf(agent, guid),
      onEvent: (agent: number, said: LinkEvent) => this.#onEvent(agent, said),
    };
    this.#agents = Array.from({ length: agentCount }, (_, index) => new FleetAgent(index + 1, shared));
  }

  /** Looks at the agents' files. @throws ConfigError when one cannot be read, or is wrong */
  static async open(parts: FleetParts): Promise<Fleet> {
    const fleet = new Fleet(parts);
    // Files in memory are not there yet.
    const checked = parts.settings.dataDir === undefined ? fleet.#agents.slice(0, 1) : fleet.#agents;
    for (const agent of checked) await agent.check();
    return fleet;
  }

  start(): void {
    const { clock, log } = this.#parts;
    log.info('Fleet starts', { agents: this.#agents.length });
    // The first pins the CA for all: agents that dial at the same time, while none is known, would pin one each.
    this.#start(++this.#started);
    this.#timer = clock.after(FIRST_AGENT_LIMIT_MS, () => this.#startRamp());
  }

  /** Every agent tells its server, ends its links, and writes what is pending. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#timer?.cancel();
    this.#churn?.cancel();
    for (const timer of this.#away.values()) timer.cancel();
    await Promise.all(this.#agents.map(agent => agent.stop()));
  }

  /** Agents that run, by their numbers. */
  get running(): readonly number[] {
    return this.#agents.filter(({ isRunning }) => isRunning).map(({ number }) => number);
  }

  guidOf(agent: number): string {
    return this.#agents[agent - 1]?.guid ?? '';
  }

  /** Its process stands still, or goes on. */
  halt(agent: number, isHalted: boolean): void {
    if (isHalted) this.#halted.add(agent);
    else this.#halted.delete(agent);
    this.#parts.network.hold(agent, isHalted);
    this.#agents[agent - 1]?.halt(isHalted);
  }

  /** Stops an agent, and starts it again after a while. One that stands still does not hear of it. */
  restart(number: number, awayMs: number): void {
    const agent = this.#agents[number - 1];
    if (agent === undefined || !agent.isRunning || this.#halted.has(number) || this.#isStopping) return;
    void agent.stop();
    this.ledger.stopped(number);
    const back = () => {
      this.#away.delete(number);
      this.#start(number);
    };
    this.#away.set(number, this.#parts.clock.after(awayMs, back));
  }

  #startRamp(): void {
    if (this.#ramp !== undefined || this.#isStopping) return;
    this.#timer?.cancel();
    this.#ramp = new Ramp(this.#agents.length, this.#parts.settings.rampPerSecond, this.#parts.clock.now());
    this.#goOnWithRamp(this.#ramp);
  }

  #goOnWithRamp(ramp: Ramp): void {
    const { clock, log } = this.#parts;
    const { due, waitMs } = ramp.step(clock.now());
    this.ledger.rampHeld(ramp.heldMs);
    if (ramp.isHeldBack && !this.#isHeldTold) {
      this.#isHeldTold = true;
      log.warn('This process is busy: agents start more slowly than the ramp says', { ready: this.ledger.readyCount });
    }
    while (this.#started < due) this.#start(++this.#started);
    if (waitMs === undefined) this.#churnLater();
    else this.#timer = clock.after(waitMs, () => this.#goOnWithRamp(ramp));
  }

  #churnLater(): void {
    const { clock, random, settings } = this.#parts;
    const { churnPerSecond, churnAwayMs } = settings;
    if (churnPerSecond === undefined) return;
    this.#churn = clock.after(1_000 / churnPerSecond, () => {
      this.restart(1 + Math.floor(random.uniform() * this.#agents.length), churnAwayMs);
      this.#churnLater();
    });
  }

  #start(number: number): void {
    const { clock, log } = this.#parts;
    const agent = this.#agents[number - 1];
    if (agent === undefined) return;
    this.ledger.started(number, clock.now());
    agent.start().catch(error => {
      log.error('An agent cannot be started', { agent: agent.guid, reason: reasonOf(error) });
    });
  }

  #onEvent(agent: number, { name, event }: LinkEvent): void {
    // What an agent tells while it stops is none of its link's doing.
    if (this.#agents[agent - 1]?.isRunning !== true) return;
    const at = this.#parts.clock.now();
    switch (name) {
      case 'ready':
        this.ledger.ready(agent, event.host, at);
        this.#sayLink(agent, 'info', `Connected to the host: ${event.host}`, { host: event.host });
        if (agent === 1) this.#startRamp();
        return;
      case 'moved':
        this.ledger.moved(agent, event.to, at);
        this.#sayLink(agent, 'info', `Connected to the host: ${event.to}`, {
          ...{ host: event.to, from: event.from, move: event.reason },
        });
        return;
      case 'lost':
        this.ledger.lost(agent, at);
        this.#sayLink(agent, 'warn', `Lost connection to host: ${event.host}`, event);
        return;
      case 'idle':
        this.ledger.idle(agent);
        return;
    }
  }

  /** Each link, when the settings want that. The first agent says it itself. */
  #sayLink(agent: number, level: 'info' | 'warn', message: string, fields: LogFields): void {
    const { log, settings } = this.#parts;
    if (settings.reportsLinks && agent !== 1) log[level](message, { agent: this.guidOf(agent), ...fields });
  }

  /** The first agent's lines show what all of them do; those of the others are for debugging. */
  #logOf(agent: number, guid: string): Log {
    const { log, settings } = this.#parts;
    if (agent === 1) return log.child({ agent: guid });
    return settings.log.level === 'debug' ? atDebugLevel(log.child({ agent: guid })) : silentLog;
  }
}

/** A dialer that tells of each TCP connection that it tries to open. */
function noting(dialer: Dialer, onDial: () => void): Dialer {
  return {
    addresses: host => dialer.addresses(host),
    connect(address, port, signal) {
      onDial();
      return dialer.connect(address, port, signal);
    },
  };
}

function atDebugLevel(log: Log): Log {
  const debug: Log['debug'] = (message, fields) => log.debug(message, fields);
  return { error: debug, warn: debug, info: debug, debug, child: fields => atDebugLevel(log.child(fields)) };
}
