import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { freePort } from '../../scripts/programs/free-port.js';
import { type ApiKeyPair, findApiKeyPair } from '../../src/admin/api-key-file.js';
import { type ApiAnswer, call } from '../../src/admin/client.js';
import { delay, systemClock } from '../../src/lib/clock.js';
import { FaultyProxy } from '../../src/lib/proxy/faulty-proxy.js';
import { systemRandom } from '../../src/lib/random.js';
import { MgmtProcess } from './mgmt-process.js';
import { ProgramProcess } from './program-process.js';
import { testFolder } from './scratch.js';

const PROCESSES = 5;
const AGENTS_EACH = 5;
export const AGENTS = PROCESSES * AGENTS_EACH;
/** A command that has ended so shortly before its process was killed may not have been in the journal yet. */
const UNWRITTEN_MS = 1_000;
const LOOK_MS = 100;
const WORKING_AGENTS = fileURLToPath(new URL('./working-agents.js', import.meta.url));
/** The address of a server, where its proxy is. */
const addressOf = (number: number) => `127.0.0.${number}`;
/** Where the server itself is. */
const boundOf = (number: number) => `127.0.1.${number}`;
const HOSTS = [1, 2, 3].map(addressOf).join();

/** Three servers, each behind a proxy, and agents in processes of their own. */
export class KillBench {
  readonly servers: readonly [Server, Server, Server];
  readonly groups: readonly Group[];
  #pair: ApiKeyPair | undefined;
  readonly #folder: string;
  #begun = 0;
  #onBegun: () => void = () => {};

  private constructor(t: Test, folder: string, { port, apiPort, proxies }: Ports) {
    this.#folder = folder;
    const [one, two, three] = proxies.map(
      (proxy, index) => new Server(t, folder, { number: index + 1, port, apiPort, proxy }),
    );
    if (!one || !two || !three) throw new Error('three servers have three proxies');
    this.servers = [one, two, three];
    this.groups = Array.from(
      { length: PROCESSES },
      (_, index) =>
        new Group(t, [folder, HOSTS, String(port), String(index * AGENTS_EACH), String(AGENTS_EACH)], count => {
          this.#begun += count;
          this.#onBegun();
        }),
    );
  }

  static async open(t: Test): Promise<KillBench> {
    const folder = testFolder(t);
    const port = await freePort();
    const proxies: FaultyProxy[] = [];
    for (let number = 1; number <= 3; number++) {
      const [address, targetAddress] = [addressOf(number), boundOf(number)];
      const proxy = await FaultyProxy.open({ address, port, target: port, targetAddress });
      t.teardown(() => proxy.close());
      proxies.push(proxy);
    }
    return new KillBench(t, folder, { port, apiPort: await freePort(), proxies });
  }

  async call(server: Server, command: string, params: Readonly<Record<string, string>> = {}): Promise<ApiAnswer> {
    this.#pair ??= await findApiKeyPair({ config: server.ini, endpoint: undefined, environment: {}, home: '' });
    const parts = { clock: systemClock, random: systemRandom };
    return call({ ...this.#pair, endpoint: server.endpoint }, command, new Map(Object.entries(params)), parts);
  }

  /** How many are Up. */
  async hosts(): Promise<number> {
    const { count } = await this.call(this.servers[1], 'listHosts', { state: 'Up', pagesize: '1' });
    return Number(count ?? 0);
  }

  /** Resolves when so many commands have begun. */
  begun(count: number): Promise<void> {
    return new Promise(resolve => {
      this.#onBegun = () => {
        if (this.#begun >= count) resolve();
      };
      this.#onBegun();
    });
  }

  async comes(holds: () => Promise<boolean>, what: string): Promise<void> {
    const end = systemClock.now() + 90_000;
    while (!(await holds())) {
      if (systemClock.now() > end) throw new Error(`it never came to this: ${what}`);
      await delay(systemClock, LOOK_MS);
    }
  }

  /** Runs of these jobs that had begun at their agent before another one of them had ended. */
  overlaps(jobs: readonly string[]): readonly string[] {
    const ofAgent = new Map<string, Run[]>();
    for (const [key, runs] of this.#runs()) {
      const [job = '', agent = ''] = key.split('/');
      if (jobs.includes(job)) ofAgent.set(agent, [...(ofAgent.get(agent) ?? []), ...runs]);
    }
    return [...ofAgent].flatMap(([agent, runs]) => {
      const inOrder = runs.sort((one, other) => one.begunAt - other.begunAt);
      return inOrder.flatMap((run, index) => {
        const next = inOrder[index + 1];
        return next !== undefined && (run.endedAt ?? 0) > next.begunAt ? `${agent}: ${run.name} ${next.name}` : [];
      });
    });
  }

  #runs(): ReadonlyMap<string, readonly Run[]> {
    return runsIn(readFileSync(join(this.#folder, 'runs'), 'utf8'));
  }

  /** What the outcomes say against what the agents have written down. */
  compare(results: readonly ApiAnswer[]): { readonly wrong: readonly string[]; readonly unknown: number } {
    const killedAt = new Map(this.groups.flatMap(group => [...group.killedAt]));
    const runs = this.#runs();
    const wrong: string[] = [];
    let unknown = 0;
    for (const { jobid, hostname, outcome, reason, answers } of results) {
      const what = `job ${jobid} on ${hostname}`;
      const [run, ...others] = runs.get(`${jobid}/${hostname}`) ?? [];
      if (others.length > 0) wrong.push(`${what} was carried out ${others.length + 1} times`);
      if (outcome === 'answered') {
        const [answer] = Object.values(JSON.parse(String(answers))[0]) as { readonly details: string }[];
        if (run?.endedAt === undefined) wrong.push(`${what} is answered, and was not carried out`);
        else if (answer?.details !== run.name) wrong.push(`${what} has the answer ${answer?.details} of ${run.name}`);
        continue;
      }
      unknown++;
      const group = this.groups[Math.floor(Number(String(hostname).split('-')[1]) / AGENTS_EACH)];
      // What was in the journal, and had not begun.
      const isUnbegun = run === undefined && (group?.killedAt.size ?? 0) > 0;
      const died = killedAt.get(run?.pid ?? 0);
      const isLost = died !== undefined && (run?.endedAt === undefined || died - run.endedAt < UNWRITTEN_MS);
      if (outcome !== 'unknown' || !(isLost || isUnbegun))
        wrong.push(`${what} is ${outcome}: ${reason}; ${JSON.stringify(run)}`);
    }
    return { wrong, unknown };
  }
}

interface Run {
  readonly begunAt: number;
  /** Its answer. */
  readonly name: string;
  readonly pid: number;
  endedAt: number | undefined;
}

/** By job and host name. */
function runsIn(text: string): ReadonlyMap<string, readonly Run[]> {
  const runs = new Map<string, Run[]>();
  for (const line of text.trim().split('\n')) {
    const [word, id = '', agent, name = '', at] = line.split(' ');
    const key = `${id.split('/')[0]}/${agent}`;
    const known = runs.get(key) ?? [];
    if (word === 'begun')
      runs.set(key, [...known, { name, pid: Number(name.split('/')[0]), endedAt: undefined, begunAt: Number(at) }]);
    else for (const run of known) if (run.name === name) run.endedAt = Number(at);
  }
  return runs;
}

interface Ports {
  /** Of all servers and of their proxies, at different addresses. */
  readonly port: number;
  readonly apiPort: number;
  readonly proxies: readonly FaultyProxy[];
}

/** A management server, which can be killed and started again. */
class Server {
  readonly proxy: FaultyProxy;
  readonly endpoint: string;
  readonly #t: Test;
  readonly #folder: string;
  readonly #settings: readonly string[];
  #process: MgmtProcess | undefined;

  constructor(
    t: Test,
    folder: string,
    { number, port, apiPort, proxy }: Omit<Ports, 'proxies'> & { readonly number: number; readonly proxy: FaultyProxy },
  ) {
    this.#t = t;
    this.proxy = proxy;
    this.endpoint = `http://${boundOf(number)}:${apiPort}/client/api`;
    this.#folder = join(folder, `server-${number}`);
    mkdirSync(this.#folder);
    this.#settings = [
      ...[`bind.address=${boundOf(number)}`, `port=${port}`, `cluster.node.IP=${addressOf(number)}`],
      ...[`api.address=${boundOf(number)}`, `api.port=${apiPort}`, `db.url=sqlite:${join(folder, 'muster.db')}`],
      ...[`host=${HOSTS}`, 'indirect.agent.lb.algorithm=roundrobin', 'ca.plugin.root.auth.strictness=false'],
      ...['cluster.heartbeat.interval=300', 'cluster.heartbeat.threshold=1500'],
    ];
  }

  get ini(): string {
    return join(this.#folder, 'data', 'cloudstack.ini');
  }

  async start(): Promise<void> {
    this.#process = new MgmtProcess(this.#t, this.#folder, this.#settings);
    await this.#process.port();
  }

  /** As a machine does that swaps, or is suspended. */
  async standStill(ms: number): Promise<void> {
    this.#process?.child.kill('SIGSTOP');
    await delay(systemClock, ms);
    this.#process?.child.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    await this.#process?.stop('SIGKILL');
  }
}

/** Agents that live and die together. */
class Group {
  /** When its processes were killed, by their ids. */
  readonly killedAt = new Map<number, number>();
  readonly #t: Test;
  readonly #args: readonly string[];
  readonly #onBegun: (count: number) => void;
  #process: ProgramProcess | undefined;

  constructor(t: Test, args: readonly string[], onBegun: (count: number) => void) {
    this.#t = t;
    this.#args = args;
    this.#onBegun = onBegun;
  }

  start(): void {
    this.#process = new ProgramProcess(this.#t, WORKING_AGENTS, '/', this.#args);
    this.#process.child.stdout?.on('data', chunk => this.#onBegun(String(chunk).split('\n').length - 1));
  }

  async kill(): Promise<void> {
    this.killedAt.set(this.#process?.child.pid ?? 0, systemClock.wallTime());
    await this.#process?.stop('SIGKILL');
  }
}
