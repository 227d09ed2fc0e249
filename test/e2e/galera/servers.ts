import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { enrolmentToken } from '../../../scripts/enrolment-token.js';
import type { Cluster } from '../../../scripts/galera/cluster.js';
import { output, Process } from '../../../scripts/galera/processes.js';

/** Of the management servers. */
export const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
const START_LIMIT_MS = 60_000;
/** `indirect.agent.lb.check.interval`. */
const CHECK_SECONDS = 5;
const dist = fileURLToPath(new URL('.', import.meta.resolve('#dist/mgmt.js')));

/** The same on each address. */
export function serverPorts(firstPort: number): { readonly agents: number; readonly api: number } {
  return { agents: firstPort + 1_400, api: firstPort + 1_401 };
}

/** An agent's link, as `listAgentLinks` has it. */
export interface ListedLink {
  readonly hostname: string;
  readonly state: string;
  readonly connectedhost?: string;
}

/** Three processes of dist/mgmt.js. */
export class Servers {
  readonly all: readonly ServerProcess[];
  readonly agentPort: number;
  readonly #apiPort: number;

  constructor(cluster: Cluster, folder: string) {
    const { agents, api } = serverPorts(cluster.firstPort);
    this.agentPort = agents;
    this.#apiPort = api;
    this.all = ADDRESSES.map(
      address =>
        new ServerProcess(address, join(folder, address), {
          'bind.address': address,
          port: agents,
          'cluster.node.IP': address,
          'api.address': address,
          'api.port': api,
          'data.dir': join(folder, address, 'data'),
          // The same order for all: they write to one node, and killing that one concerns most of them.
          'db.url': cluster.url(),
          host: ADDRESSES.join(','),
          'indirect.agent.lb.algorithm': 'roundrobin',
          'indirect.agent.lb.check.interval': CHECK_SECONDS,
        }),
    );
  }

  /** All at the same moment, on an empty database. */
  async start(): Promise<void> {
    await Promise.all(this.all.map(server => server.start()));
  }

  /** @param uses by how many agents */
  enrolmentToken(uses: number): Promise<string> {
    const [first] = this.all;
    return enrolmentToken(join(first?.home ?? '', 'data/cloudstack.ini'), { uses });
  }

  /** What `dist/admin.js` prints when it asks this server. @returns undefined when it does not answer */
  async links(server: ServerProcess): Promise<readonly ListedLink[] | undefined> {
    const endpoint = `http://${server.address}:${this.#apiPort}/client/api`;
    const options = ['--config', join(server.home, 'data/cloudstack.ini'), '--endpoint', endpoint, '-o', 'json'];
    const command = [join(dist, 'admin.js'), ...options, 'listAgentLinks', 'pagesize=-1'];
    const { end, stdout } = await output(process.execPath, command);
    if (end !== 0) return undefined;
    const { agentlink = [] } = JSON.parse(stdout) as { readonly agentlink?: readonly ListedLink[] };
    return agentlink;
  }
}

export class ServerProcess {
  readonly address: string;
  readonly home: string;
  readonly #file: string;
  readonly #logFile: string;
  readonly #settings: Readonly<Record<string, string | number>>;
  #process: Process | undefined;

  constructor(address: string, home: string, settings: Readonly<Record<string, string | number>>) {
    this.address = address;
    this.home = home;
    this.#file = join(home, 'mgmt.properties');
    this.#logFile = join(home, 'mgmt.log');
    this.#settings = { ...settings, 'log.file': this.#logFile };
  }

  /** Resolves when it listens for agents. @throws Error with what it said */
  async start(): Promise<void> {
    await mkdir(this.home, { recursive: true });
    const lines = Object.entries(this.#settings).map(([key, value]) => `${key}=${value}\n`);
    await writeFile(this.#file, lines.join(''), { mode: 0o600 });
    const from = (await this.log()).length;
    const child = new Process(process.execPath, [join(dist, 'mgmt.js'), this.#file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    let errors = '';
    child.stderr?.setEncoding('utf8').on('data', text => {
      errors += text;
    });
    const deadline = performance.now() + START_LIMIT_MS;
    while (!(await this.log()).slice(from).includes('Listening for agents')) {
      if (child.end !== undefined || performance.now() > deadline) {
        throw new Error(`the management server ${this.address} does not start: ${errors || (await this.log())}`);
      }
      await sleep(50);
    }
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  log(): Promise<string> {
    return readFile(this.#logFile, 'utf8').catch(() => '');
  }
}
