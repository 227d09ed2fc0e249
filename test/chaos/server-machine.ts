import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessEnd } from '../../scripts/galera/processes.js';
import type { FaultyProxy } from '../../src/lib/proxy/faulty-proxy.js';
import type { Clocks } from './clocks.js';
import type { LogEntry } from './logging-process.js';
import { Machine } from './machine.js';

export interface ServerMachineParts {
  readonly name: string;
  /** As it stands in `host`: its proxy is there. */
  readonly address: string;
  /** Where the process listens. */
  readonly bound: string;
  readonly folder: string;
  readonly port: number;
  readonly apiPort: number;
  readonly proxy: FaultyProxy;
  readonly clocks: Clocks;
  readonly settings: Readonly<Record<string, string | number>>;
  onEntry(entry: LogEntry): void;
  onDeath(why: ProcessEnd): void;
}

/** A management server behind its proxy, which can be killed and started again. */
export class ServerMachine extends Machine {
  readonly address: string;
  readonly proxy: FaultyProxy;
  readonly endpoint: string;
  /** The key for operators. */
  readonly ini: string;
  isListening = false;
  readonly #parts: ServerMachineParts;

  constructor(parts: ServerMachineParts) {
    super(parts.name, parts.clocks);
    this.#parts = parts;
    this.address = parts.address;
    this.proxy = parts.proxy;
    this.endpoint = `http://${parts.bound}:${parts.apiPort}/client/api`;
    this.ini = join(this.#dataDir, 'cloudstack.ini');
  }

  get #dataDir(): string {
    return join(this.#parts.folder, this.name, 'data');
  }

  start(): void {
    const { name, address, bound, folder, port, apiPort, settings, onEntry, onDeath } = this.#parts;
    const file = join(folder, name, 'mgmt.properties');
    mkdirSync(join(folder, name), { recursive: true });
    // The settings are all on the command line.
    writeFileSync(file, '');
    this.run({
      program: 'mgmt',
      file,
      logFile: join(folder, 'logs', `${name}.log`),
      settings: {
        'bind.address': bound,
        port,
        'cluster.node.IP': address,
        'api.address': bound,
        'api.port': apiPort,
        'data.dir': this.#dataDir,
        ...settings,
      },
      onEntry: entry => {
        if (entry.message === 'Listening for agents') this.isListening = true;
        onEntry(entry);
      },
      onDeath,
    });
  }

  override async kill(): Promise<void> {
    this.isListening = false;
    await super.kill();
  }
}
