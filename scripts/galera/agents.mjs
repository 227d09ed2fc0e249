import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent } from '../../dist/agent/agent.js';
import { AgentProperties } from '../../dist/agent/agent-properties.js';
import { readyLink } from '../../dist/agent/agent-state.js';
import { tcpDialer } from '../../dist/agent/dialer.js';
import { builtInResource } from '../../dist/agent/resource.js';
import { readSettings } from '../../dist/agent/settings.js';
import { Trust } from '../../dist/agent/trust.js';
import { systemClock } from '../../dist/lib/clock.js';
import { silentLog } from '../../dist/lib/logger.js';
import { parseProperties } from '../../dist/lib/properties.js';
import { systemRandom } from '../../dist/lib/random.js';
import { ADDRESSES } from './ports.mjs';

const machine = builtInResource('LibvirtComputingResource');

/** Agents in this process, each with its own files. */
export class Agents {
  all = [];
  #folder;
  #port;
  #trust;

  constructor(folder, port) {
    this.#folder = join(folder, 'agents');
    this.#port = port;
    this.#trust = new Trust(join(this.#folder, 'cloud.ca.crt'), systemClock, silentLog);
  }

  async add() {
    const name = `agent-${this.all.length + 1}`;
    const home = join(this.#folder, name);
    await mkdir(home, { recursive: true });
    // They start anywhere in the list, as agents do that were given it in another order.
    const first = this.all.length % ADDRESSES.length;
    const hosts = [...ADDRESSES.slice(first), ...ADDRESSES.slice(0, first)];
    const agent = new WatchedAgent(name, home, `host=${hosts}\nport=${this.#port}\n`, this.#trust);
    this.all.push(agent);
    return agent;
  }

  on(address) {
    return this.all.filter(({ host }) => host === address);
  }

  get losses() {
    return this.all.reduce((sum, { losses }) => sum + losses, 0);
  }

  async stop() {
    await Promise.all(this.all.map(agent => agent.stop()));
  }
}

class WatchedAgent {
  name;
  /** How often it had no Ready link any more. */
  losses = 0;
  #agent;
  #properties;

  constructor(name, home, text, trust) {
    this.name = name;
    const file = join(home, 'agent.properties');
    this.#properties = new AgentProperties(file, parseProperties(text), systemClock, silentLog);
    const warn = message => {
      if (message.startsWith('Lost connection')) this.losses++;
    };
    this.#agent = new Agent({
      settings: readSettings(key => this.#properties.get(key)),
      properties: this.#properties,
      guid: name,
      // A machine has one host name, and these are many "hypervisors" of one machine.
      resource: { ...machine, startup: () => ({ ...machine.startup(), name }) },
      trust,
      dialer: tcpDialer,
      clock: systemClock,
      random: systemRandom,
      log: { ...silentLog, warn },
    });
  }

  start() {
    this.#agent.start();
  }

  stop() {
    return this.#agent.stop();
  }

  /** The server that it has a Ready link with. */
  get host() {
    return readyLink(this.#agent.state)?.host;
  }

  get isHome() {
    const { phase, list } = this.#agent.state;
    return phase.kind === 'up' && phase.link.host === list.hosts[0];
  }

  /** What the servers told it. */
  get id() {
    return Number(this.#properties.get(`${machine.name}.id`));
  }
}
