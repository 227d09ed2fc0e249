import { join } from 'node:path';
import { composeAgent } from '../agent/compose-agent.js';
import { type Agent, type Dialer, type Resource, readProperties, readSettings, Trust } from '../agent/index.js';
import type { LinkEvent } from '../agent/link-events.js';
import type { Clock } from '../lib/clock.js';
import { ConfigError, reasonOf } from '../lib/errors.js';
import type { Disk } from '../lib/files/disk.js';
import type { Log } from '../lib/logger.js';
import type { Random } from '../lib/random.js';
import { HaltingClock } from './load/halting-clock.js';
import { guidOf, ofAgent } from './load/numbering.js';

/** What all agents of a fleet share. */
export interface FleetAgentParts {
  readonly guidPrefix: string;
  /** Agent n has its files in `<folder>/<guid>/`. */
  readonly folder: string;
  readonly disk: Disk;
  /** Values of agent.properties, where an agent's own file says nothing. */
  readonly agentDefaults: ReadonlyMap<string, string>;
  /** undefined: as servers say. */
  readonly pingIntervalMs: number | undefined;
  /** Has the CA of all agents that have none of their own. */
  readonly trust: Trust;
  readonly clock: Clock;
  readonly random: Random;
  resourceOf(agent: number, guid: string): Resource;
  dialerOf(agent: number): Dialer;
  logOf(agent: number, guid: string): Log;
  onEvent(agent: number, said: LinkEvent): void;
}

/**
 * One machine of a fleet, with its agent while that runs.
 *
 *     away ─start()─▶ running ─stop()─▶ away
 */
export class FleetAgent {
  /** From 1. */
  readonly number: number;
  readonly guid: string;
  readonly #parts: FleetAgentParts;
  /** It was started, and not stopped since. */
  #isWanted = false;
  #running: { readonly agent: Agent; readonly clock: HaltingClock } | undefined;

  constructor(number: number, parts: FleetAgentParts) {
    this.number = number;
    this.guid = guidOf(parts.guidPrefix, number);
    this.#parts = parts;
  }

  get isRunning(): boolean {
    return this.#isWanted;
  }

  /** Reads its agent.properties. @throws ConfigError */
  async check(): Promise<void> {
    await this.#read();
  }

  /** Starts its agent, as a new process with the files of the one before. @throws ConfigError */
  async start(): Promise<void> {
    this.#isWanted = true;
    const { number, guid } = this;
    const { folder, disk, pingIntervalMs, trust: shared, random, onEvent } = this.#parts;
    const { file, document, settings } = await this.#read();
    const log = this.#parts.logOf(number, guid);
    const clock = new HaltingClock(this.#parts.clock);
    const own = join(folder, guid);
    const trust = new Trust({ folder: own, disk, clock, log, token: settings.enrolmentToken, shared });
    await trust.load().catch(cause => {
      throw new ConfigError('data.dir', own, reasonOf(cause), { cause });
    });
    const { agent } = await composeAgent({
      ...{ file, document, disk, settings, guid, trust, clock, random, log, pingIntervalMs },
      resource: this.#parts.resourceOf(number, guid),
      dialer: this.#parts.dialerOf(number),
    });
    agent.events.on('ready', event => onEvent(number, { name: 'ready', event }));
    agent.events.on('moved', event => onEvent(number, { name: 'moved', event }));
    agent.events.on('lost', event => onEvent(number, { name: 'lost', event }));
    agent.events.on('idle', event => onEvent(number, { name: 'idle', event }));
    if (!this.#isWanted) {
      await agent.stop();
      return;
    }
    this.#running = { agent, clock };
    agent.start();
  }

  /** As a signal does: it tells its server, and ends its links. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#isWanted = false;
    this.#running = undefined;
    running?.clock.goOn();
    await running?.agent.stop();
  }

  /** Its process stands still, or goes on. */
  halt(isHalted: boolean): void {
    if (isHalted) this.#running?.clock.halt();
    else this.#running?.clock.goOn();
  }

  async #read() {
    const { folder, disk, agentDefaults } = this.#parts;
    const file = join(folder, this.guid, 'agent.properties');
    const { document, error } = await readProperties(file, disk);
    if (error !== undefined) {
      throw new ConfigError('data.dir', file, `cannot be read: ${reasonOf(error)}`, { cause: error });
    }
    const settings = readSettings(key => {
      const given = document.get(key);
      return given ?? defaultOf(agentDefaults.get(key), this.number);
    });
    return { file, document, settings };
  }
}

function defaultOf(template: string | undefined, agent: number): string | undefined {
  return template === undefined ? undefined : ofAgent(template, agent);
}
