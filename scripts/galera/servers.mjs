import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ADDRESSES, serverPorts } from './ports.mjs';
import { output, Process } from './processes.mjs';

const START_LIMIT_MS = 60_000;
/** How often agents look whether their preferred server is back. */
const CHECK_SECONDS = 5;
const dist = fileURLToPath(new URL('../../dist', import.meta.url));

/** Three processes of dist/mgmt.js, on one port of three addresses. */
export class Servers {
  all;
  agentPort;
  #apiPort;

  constructor(cluster, folder) {
    const { agents, api } = serverPorts(cluster.firstPort);
    this.agentPort = agents;
    this.#apiPort = api;
    this.all = ADDRESSES.map(address => {
      const settings = {
        'bind.address': address,
        port: agents,
        'cluster.node.IP': address,
        'api.address': address,
        'api.port': api,
        'data.dir': join(folder, address, 'data'),
        // The same order for all: they write to one node, and each kill strikes the one that most of them use.
        'db.url': cluster.url(),
        host: ADDRESSES.join(','),
        'indirect.agent.lb.algorithm': 'roundrobin',
        'indirect.agent.lb.check.interval': CHECK_SECONDS,
      };
      return new Server(address, join(folder, address), settings);
    });
  }

  /** All at the same moment, on an empty database. */
  async start() {
    await Promise.all(this.all.map(server => server.start()));
  }

  /** What an operator sees of the agents' links, asked at one server. @returns undefined when there is no answer */
  async links(server) {
    // The first server of them has written it.
    const credentials = this.all.map(({ home }) => join(home, 'data/cloudstack.ini')).find(path => existsSync(path));
    const endpoint = `http://${server.address}:${this.#apiPort}/client/api`;
    const options = ['--config', credentials, '--endpoint', endpoint, '-o', 'json'];
    const command = [join(dist, 'admin.js'), ...options, 'listAgentLinks', 'pagesize=-1'];
    const { end, stdout } = await output(process.execPath, command);
    return end === 0 ? (JSON.parse(stdout).agentlink ?? []) : undefined;
  }
}

class Server {
  address;
  home;
  #file;
  #log;
  #settings;
  #process;

  constructor(address, home, settings) {
    this.address = address;
    this.home = home;
    this.#file = join(home, 'mgmt.properties');
    this.#log = join(home, 'mgmt.log');
    this.#settings = { ...settings, 'log.file': this.#log };
  }

  /** Until it listens for agents. */
  async start() {
    await mkdir(this.home, { recursive: true });
    const lines = Object.entries(this.#settings).map(([key, value]) => `${key}=${value}\n`);
    await writeFile(this.#file, lines.join(''), { mode: 0o600 });
    const from = (await this.log()).length;
    this.#process = new Process(process.execPath, [join(dist, 'mgmt.js'), this.#file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let complaint = '';
    this.#process.stderr.setEncoding('utf8').on('data', text => {
      complaint += text;
    });
    const deadline = performance.now() + START_LIMIT_MS;
    while (!(await this.log()).slice(from).includes('Listening for agents')) {
      if (this.#process.end !== undefined || performance.now() > deadline) {
        throw new Error(`the management server ${this.address} does not start: ${complaint || (await this.log())}`);
      }
      await sleep(50);
    }
  }

  kill() {
    return this.#process.kill();
  }

  log() {
    return readFile(this.#log, 'utf8').catch(() => '');
  }
}
