import { join } from 'node:path';
import {
  Agent,
  AgentProperties,
  type Dialer,
  openJournal,
  type Resource,
  readSettings as readAgentSettings,
  readProperties,
  readyLink,
  Trust,
  withMachineName,
} from '../agent/index.js';
import type { Clock, Timer } from '../lib/clock.js';
import { ConfigError, reasonOf } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';
import type { Random } from '../lib/random.js';
import type { FleetSettings } from './settings.js';

export interface FleetParts {
  readonly settings: FleetSettings;
  /** Agent n keeps its agent.properties in `<folder>/<guid>/`. */
  readonly folder: string;
  readonly resource: Resource;
  /** Has the CA of all agents that have none of their own. */
  readonly trust: Trust;
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Where the agents are. */
export interface Census {
  /** Ready links by management server, sorted by its address. */
  readonly ready: ReadonlyMap<string, number>;
  /** Agents without a Ready link. */
  readonly notReady: number;
  /** Ready links lost since the start. */
  readonly linksLost: number;
}

/** The others do not wait longer than this for the first agent. */
const FIRST_AGENT_LIMIT_MS = 2_000;
const FIRST_AGENT_LOOK_MS = 20;
/** How the lines begin by which an agent logs a Ready link that it has got, and one that it has lost. */
const READY = 'Connected to the host:';
const LOST = 'Lost connection to host:';

/** Many agents in one process. */
export class Fleet {
  readonly #parts: FleetParts;
  readonly #agents: Agent[] = [];
  #linksLost = 0;
  #lastReport = '';
  #timer: Timer | undefined;

  private constructor(parts: FleetParts) {
    this.#parts = parts;
  }

  /** Reads the agents' files. @throws ConfigError when one cannot be read, or is wrong */
  static async open(parts: FleetParts): Promise<Fleet> {
    const fleet = new Fleet(parts);
    for (let number = 1; number <= parts.settings.agentCount; number++) {
      fleet.#agents.push(await fleet.#openAgent(number));
    }
    return fleet;
  }

  get census(): Census {
    const counts = new Map<string, number>();
    let notReady = 0;
    for (const { state } of this.#agents) {
      const host = readyLink(state)?.host;
      if (host === undefined) notReady++;
      else counts.set(host, (counts.get(host) ?? 0) + 1);
    }
    const ready = new Map([...counts].sort(([one], [other]) => (one < other ? -1 : 1)));
    return { ready, notReady, linksLost: this.#linksLost };
  }

  start(): void {
    const { clock, log, settings } = this.#parts;
    log.info('Fleet starts', { agents: this.#agents.length });
    const [first, ...others] = this.#agents;
    // The first pins the CA for all: agents that dial at the same time, while none is known, would pin one each.
    first?.start();
    const startOthers = () => {
      for (const agent of others) agent.start();
      this.#watch(settings.reportIntervalMs);
    };
    const deadline = clock.now() + FIRST_AGENT_LIMIT_MS;
    const look = () => {
      const mayGoOn = first === undefined || readyLink(first.state) !== undefined || clock.now() >= deadline;
      if (mayGoOn) startOthers();
      else this.#timer = clock.after(FIRST_AGENT_LOOK_MS, look);
    };
    look();
  }

  /** Every agent tells its server, ends its links, and writes what is pending. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#report();
    await Promise.all(this.#agents.map(agent => agent.stop()));
    this.#parts.log.info('Fleet stops', { agents: this.#agents.length, linksLost: this.#linksLost });
  }

  #watch(intervalMs: number): void {
    this.#report();
    this.#timer = this.#parts.clock.after(intervalMs, () => this.#watch(intervalMs));
  }

  /** Logs the census when it is another than last time. */
  #report(): void {
    const { ready, notReady, linksLost } = this.census;
    const hosts = [...ready].map(([host, count]) => `${host}=${count}`);
    const report = JSON.stringify([hosts, notReady, linksLost]);
    if (report === this.#lastReport) return;
    this.#lastReport = report;
    this.#parts.log.info('Agents', { ready: this.#agents.length - notReady, notReady, linksLost, hosts });
  }

  async #openAgent(number: number): Promise<Agent> {
    const { settings, resource, trust: shared, dialer, clock, random } = this.#parts;
    const guid = `${settings.guidPrefix}-${number}`;
    const folder = join(this.#parts.folder, guid);
    const file = join(folder, 'agent.properties');
    const { document, error } = await readProperties(file);
    if (error !== undefined) {
      throw new ConfigError('data.dir', file, `cannot be read: ${reasonOf(error)}`, { cause: error });
    }
    const log = this.#logOf(guid, number === 1);
    const agentSettings = readAgentSettings(key => document.get(key) ?? settings.agentDefaults.get(key));
    const trust = new Trust({ folder, clock, log, token: agentSettings.enrolmentToken, shared });
    await trust.load().catch(cause => {
      throw new ConfigError('data.dir', folder, reasonOf(cause), { cause });
    });
    return new Agent({
      settings: agentSettings,
      properties: new AgentProperties(file, document, clock, log),
      guid,
      // One machine has one host name: each agent reports a name of its own.
      resource: withMachineName(resource, guid),
      journal: await openJournal(folder, { clock, log }),
      trust,
      dialer,
      clock,
      random,
      log,
    });
  }

  /** The first agent's lines show what all of them do; those of the others are for debugging, but for those of links. */
  #logOf(guid: string, isFirst: boolean): Log {
    const { log, settings } = this.#parts;
    const own = log.child({ agent: guid });
    const base = isFirst ? own : atDebugLevel(own);
    const ofLinks = settings.reportsLinks ? own : base;
    return {
      ...base,
      info: (message, fields) => (message.startsWith(READY) ? ofLinks : base).info(message, fields),
      warn: (message, fields) => {
        const isLoss = message.startsWith(LOST);
        if (isLoss) this.#linksLost++;
        (isLoss ? ofLinks : base).warn(message, fields);
      },
    };
  }
}

function atDebugLevel(log: Log): Log {
  const { debug } = log;
  return { error: debug, warn: debug, info: debug, debug, child: fields => atDebugLevel(log.child(fields)) };
}
