// A cluster on this machine whose console somebody looks at: its tests, and scripts/console-shots.ts.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { findApiKeyPair } from '#dist/admin/api-key-file.js';
import { type ApiAnswer, call } from '#dist/admin/client.js';
import { systemClock } from '#dist/lib/clock.js';
import { systemRandom } from '#dist/lib/random.js';

export interface ConsoleClusterOptions {
  /** What it writes comes here. */
  readonly folder: string;
  /** Each on an address of its own, from 127.0.0.1. */
  readonly servers: number;
  readonly agents: number;
}

/** Chromium as Debian has it; undefined where it is not installed. */
export const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(path => existsSync(path));

const PROGRAMS = fileURLToPath(new URL('../../dist', import.meta.url));

/** Management servers with one SQLite file, and a fleet of agents, as processes. */
export class ConsoleCluster {
  readonly addresses: readonly string[];
  readonly #options: ConsoleClusterOptions;
  readonly #ports: { readonly agents: number; readonly api: number };
  readonly #children = new Map<string, ChildProcess>();

  private constructor(options: ConsoleClusterOptions, ports: { readonly agents: number; readonly api: number }) {
    this.#options = options;
    this.#ports = ports;
    this.addresses = Array.from({ length: options.servers }, (_, index) => `127.0.0.${index + 1}`);
  }

  /** Starts the servers, one after the other, and the agents. */
  static async start(options: ConsoleClusterOptions): Promise<ConsoleCluster> {
    const cluster = new ConsoleCluster(options, { agents: await freePort(), api: await freePort() });
    for (const address of cluster.addresses) await cluster.startServer(address);
    cluster.#spawn('fleet', 'fleet.js', [
      `host=${cluster.addresses.join(',')}`,
      `port=${cluster.#ports.agents}`,
      `agents=${options.agents}`,
      `data.dir=${join(options.folder, 'fleet')}`,
    ]);
    return cluster;
  }

  urlOf(address: string): string {
    return `http://${address}:${this.#ports.api}/`;
  }

  /** The key pair of the operator. */
  async keyPair(): Promise<{ readonly apiKey: string; readonly secretKey: string }> {
    const { key, secret } = await this.#pair();
    return { apiKey: key, secretKey: secret };
  }

  /** A call of the API, by the operator. */
  async ask(command: string, params: Readonly<Record<string, string>> = {}): Promise<ApiAnswer> {
    const parts = { clock: systemClock, random: systemRandom };
    return call(await this.#pair(), command, new Map(Object.entries(params)), parts);
  }

  /** Resolves when it listens for agents. */
  async startServer(address: string): Promise<void> {
    const { folder } = this.#options;
    const child = this.#spawn(address, 'mgmt.js', [
      `bind.address=${address}`,
      `port=${this.#ports.agents}`,
      `cluster.node.IP=${address}`,
      `data.dir=${join(folder, address)}`,
      `db.url=sqlite:${join(folder, 'muster.db')}`,
      `api.address=${address}`,
      `api.port=${this.#ports.api}`,
      // Only the first server's are taken: they are initial values.
      ...(existsSync(join(folder, 'muster.db'))
        ? []
        : [
            `host=${this.addresses.join(',')}`,
            'indirect.agent.lb.algorithm=rendezvous',
            'indirect.agent.lb.check.interval=1',
            'ca.plugin.root.auth.strictness=false',
            // A server that is killed is noticed within a few seconds.
            'cluster.heartbeat.interval=500',
          ]),
    ]);
    if (child.stdout === null) return;
    const ended = new AbortController();
    child.once('exit', () => ended.abort());
    const lines = createInterface({ input: child.stdout, signal: ended.signal });
    for await (const line of lines) {
      if (!line.includes('Listening for agents')) continue;
      child.stdout.resume();
      return;
    }
    throw new Error(`the server ${address} has ended`);
  }

  /** As a loss of power does. */
  async killServer(address: string): Promise<void> {
    const child = this.#children.get(address);
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Ends all processes. */
  stop(): void {
    for (const child of this.#children.values()) child.kill('SIGKILL');
  }

  #pair() {
    const [first = ''] = this.addresses;
    const config = join(this.#options.folder, first, 'cloudstack.ini');
    return findApiKeyPair({ config, endpoint: undefined, environment: {}, home: '' });
  }

  #spawn(name: string, script: string, settings: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [join(PROGRAMS, script), ...settings], {
      cwd: this.#options.folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (name === 'fleet') child.stdout?.resume();
    this.#children.set(name, child);
    return child;
  }
}

/** One that is free on 127.0.0.1; the other addresses of this machine are used by nobody else. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise(resolve => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('there is no free port');
  return address.port;
}
