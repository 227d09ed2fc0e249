import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessEnd } from '../../scripts/galera/processes.js';
import type { Clocks } from './clocks.js';
import { type LogEntry, LoggingProcess } from './logging-process.js';
import { Machine } from './machine.js';
import { mountSmallDisk, type SmallDisk } from './small-disk.js';

export interface AgentProcessesParts {
  readonly folder: string;
  readonly hosts: readonly string[];
  readonly port: number;
  /** Agents of the fleet. */
  readonly fleet: number;
  /** Agents in processes of their own. */
  readonly processes: number;
  readonly prefix: readonly string[];
  readonly clocks: Clocks;
  /** @param name of the agent */
  onEntry(name: string, entry: LogEntry): void;
  onDeath(name: string, why: ProcessEnd): void;
}

const FLEET = 'fleet';
const DISK_MEGABYTES = 1;
const AGENT_MODULE = import.meta.resolve('#dist/agent/index.js');

/** The agents: a fleet in one process, and some in processes of their own. Each reports its guid as its name. */
export class AgentProcesses {
  /** Of all agents. */
  readonly names: readonly string[];
  /** Those in processes of their own. */
  readonly own: readonly OwnAgent[];
  readonly #parts: AgentProcessesParts;
  #fleet: LoggingProcess | undefined;
  #token = '';

  constructor(parts: AgentProcessesParts) {
    this.#parts = parts;
    this.own = Array.from({ length: parts.processes }, (_, index) => new OwnAgent(`agent-${index + 1}`, parts));
    this.names = [
      ...this.own.map(({ name }) => name),
      ...Array.from({ length: parts.fleet }, (_, index) => `${FLEET}-${index + 1}`),
    ];
  }

  /** Makes their files. */
  async prepare(token: string): Promise<void> {
    this.#token = token;
    await mkdir(this.#fleetFolder);
    await writeFile(join(this.#fleetFolder, 'fleet.properties'), '');
    for (const agent of this.own) await agent.prepare(token);
  }

  start(): void {
    const { folder, hosts, port, fleet, prefix, onEntry, onDeath } = this.#parts;
    for (const agent of this.own) agent.start();
    if (fleet === 0) return;
    this.#fleet = new LoggingProcess({
      program: 'fleet',
      file: join(this.#fleetFolder, 'fleet.properties'),
      settings: {
        agents: fleet,
        host: hosts.join(','),
        port,
        'guid.prefix': FLEET,
        'data.dir': this.#fleetFolder,
        'report.links': 'true',
        'enrollment.token': this.#token,
      },
      logFile: join(folder, 'logs', 'fleet.log'),
      prefix,
      onEntry: entry => onEntry(entry.agent ?? FLEET, entry),
      onDeath: why => onDeath(FLEET, why),
    });
  }

  get fleetPid(): number | undefined {
    return this.#fleet?.pid;
  }

  /** What is in the agent.properties of an agent. */
  properties(name: string): Promise<string> {
    const home = join(name.startsWith(FLEET) ? this.#fleetFolder : this.#parts.folder, name);
    return readFile(join(home, 'agent.properties'), 'utf8');
  }

  async kill(): Promise<void> {
    await Promise.all([this.#fleet?.kill(), ...this.own.map(agent => agent.close())]);
  }

  get #fleetFolder(): string {
    return join(this.#parts.folder, FLEET);
  }
}

/** An agent in a process of its own, on a disk of its own. */
export class OwnAgent extends Machine {
  /** Undefined: this machine does not permit it. */
  disk: SmallDisk | undefined;
  readonly #parts: AgentProcessesParts;

  constructor(name: string, parts: AgentProcessesParts) {
    super(name, parts.clocks);
    this.#parts = parts;
  }

  async prepare(token: string): Promise<void> {
    const { hosts, port } = this.#parts;
    await mkdir(this.#home);
    this.disk = await mountSmallDisk(this.#home, DISK_MEGABYTES);
    // The agents run on one machine, with one host name: each reports a name of its own.
    const resource = join(this.#home, 'resource.mjs');
    await writeFile(
      resource,
      `import { builtInResource } from '${AGENT_MODULE}';
const machine = builtInResource('LibvirtComputingResource');
export default { ...machine, startup: () => ({ ...machine.startup(), name: '${this.name}' }) };
`,
    );
    const lines = [`guid=${this.name}`, `host=${hosts.join(',')}`, `port=${port}`, `resource=${resource}`];
    await writeFile(this.#file, `${[...lines, `enrollment.token=${token}`].join('\n')}\n`, { mode: 0o600 });
  }

  start(): void {
    const { folder, prefix, onEntry, onDeath } = this.#parts;
    this.run({
      program: 'agent',
      file: this.#file,
      settings: {},
      logFile: join(folder, 'logs', `${this.name}.log`),
      prefix,
      onEntry: entry => onEntry(this.name, entry),
      onDeath: why => onDeath(this.name, why),
    });
  }

  async close(): Promise<void> {
    await this.kill();
    await this.disk?.close();
  }

  get #home(): string {
    return join(this.#parts.folder, this.name);
  }

  get #file(): string {
    return join(this.#home, 'agent.properties');
  }
}
