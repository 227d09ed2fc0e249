import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enrolmentToken } from '../../scripts/enrolment-token.js';
import { freePort } from '../../scripts/programs/free-port.js';
import { delay, systemClock } from '../../src/lib/clock.js';
import { reasonOf } from '../../src/lib/errors.js';
import { FaultyProxy } from '../../src/lib/proxy/faulty-proxy.js';
import { AgentProcesses } from './agents.js';
import { type Clocks, openClocks } from './clocks.js';
import { type FootprintSample, sampleOf } from './footprint.js';
import { GapLedger } from './gaps.js';
import type { LogEntry } from './logging-process.js';
import { type Network, openNetwork } from './network.js';
import { Operator } from './operator.js';
import { ServerMachine } from './server-machine.js';
import { type ChaosStore, openStore, type StoreName } from './stores.js';

export interface WorldOptions {
  readonly store: StoreName;
  readonly servers: number;
  /** Agents of the fleet. */
  readonly agents: number;
  /** Agents in processes of their own. */
  readonly processes: number;
  /** Initial values of the global configuration, and other settings of the servers. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Aborted: the run is over. */
  readonly signal: AbortSignal;
  say(line: string): void;
}

/** Where a server itself is, behind its proxy. */
const boundOf = (server: number) => `127.0.1.${server + 1}`;
const START_LIMIT_MS = 120_000;
const LOOK_MS = 50;
/** What a line of level error says that is a bug, and no fault from outside. */
const BUG =
  /unhandled|uncaught|internal error|\b(?:Type|Reference|Range|Assertion)Error\b|is not a function|cannot read properties/i;
const MOST_PROBLEMS = 50;

/** Real servers, agents and a store on this machine. */
export class World {
  readonly folder: string;
  readonly options: WorldOptions;
  readonly network: Network;
  readonly clocks: Clocks;
  readonly store: ChaosStore;
  readonly servers: readonly ServerMachine[];
  readonly agents: AgentProcesses;
  readonly operator: Operator;
  readonly ledger = new GapLedger();
  /** What was seen that must not be. */
  readonly problems: string[] = [];
  readonly footprints: FootprintSample[] = [];
  /** How often each agent has gone back to its preferred server, at least since its process began. */
  readonly failbacks = new Map<string, number>();
  readonly #startedAt = performance.now();
  #faults = 0;

  private constructor(parts: Parts) {
    const { folder, options, network, clocks, store, proxies, port, apiPort } = parts;
    this.folder = folder;
    this.options = options;
    this.network = network;
    this.clocks = clocks;
    this.store = store;
    this.servers = proxies.map(
      (proxy, index) =>
        new ServerMachine({
          name: `server-${index + 1}`,
          address: network.addressOf(index),
          bound: boundOf(index),
          folder,
          port,
          apiPort,
          proxy,
          clocks,
          settings: { 'db.url': store.url, host: this.hosts.join(','), ...options.settings },
          onEntry: entry => this.#read(`server-${index + 1}`, entry),
          onDeath: why => this.problem(`server-${index + 1} has died by itself: ${why}`),
        }),
    );
    this.agents = new AgentProcesses({
      folder,
      hosts: this.hosts,
      port,
      fleet: options.agents,
      processes: options.processes,
      prefix: network.prefix,
      clocks,
      onEntry: (name, entry) => this.#readAgent(name, entry),
      onDeath: (name, why) => this.problem(`${name} has died by itself: ${why}`),
    });
    const [first] = this.servers;
    this.operator = new Operator(
      first?.ini ?? '',
      this.servers.map(({ endpoint }) => endpoint),
    );
  }

  /** Nothing is started yet. @param t undoes all of it */
  static async open(options: WorldOptions, t: { teardown(run: () => unknown): void }): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'muster-chaos-'));
    t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
    await mkdir(join(folder, 'logs'));
    const network = await openNetwork(options.servers, options.say);
    t.teardown(() => network.close());
    const clocks = openClocks(folder, options.say);
    const store = await openStore(options.store, folder, t);
    const [port, apiPort] = [await freePort(), await freePort()];
    const proxies: FaultyProxy[] = [];
    for (let server = 0; server < options.servers; server++) {
      const address = network.addressOf(server);
      const proxy = await FaultyProxy.open({ address, port, target: port, targetAddress: boundOf(server) });
      t.teardown(() => proxy.close());
      proxies.push(proxy);
    }
    const world = new World({ folder, options, network, clocks, store, proxies, port, apiPort });
    t.teardown(() => Promise.all([...world.servers, world.agents].map(one => one.kill())));
    return world;
  }

  /** Resolves when all agents are Ready. @throws Error: they are not in time */
  async start(): Promise<void> {
    const [first, ...others] = this.servers;
    // It makes the schema and the CA.
    first?.start();
    await this.comes(() => first?.isListening === true, 'the first server listens', START_LIMIT_MS);
    for (const server of others) server.start();
    await this.comes(() => others.every(({ isListening }) => isListening), 'all servers listen', START_LIMIT_MS);
    const token = await enrolmentToken(first?.ini ?? '', { uses: this.agents.names.length });
    await this.agents.prepare(token);
    this.agents.start();
    await this.comes(() => this.areAllReady, 'all agents are Ready', START_LIMIT_MS);
  }

  /** The addresses that stand in `host`. */
  get hosts(): readonly string[] {
    return Array.from({ length: this.options.servers }, (_, index) => this.network.addressOf(index));
  }

  /** Milliseconds since the world was made. */
  get now(): number {
    return performance.now() - this.#startedAt;
  }

  /** What each process has now. */
  lookAtFootprints(): void {
    const processes = [...this.servers, ...this.agents.own, { name: 'fleet', pid: this.agents.fleetPid }];
    for (const { name, pid } of processes) {
      const sample = pid === undefined ? undefined : sampleOf(name, pid, this.now);
      if (sample === undefined) continue;
      // Agents come and go between servers.
      const address = this.servers.find(server => server.name === name)?.address;
      const links = [...this.ledger.hosts.values()].filter(host => host === address).length;
      this.footprints.push({ ...sample, descriptors: sample.descriptors - links });
    }
  }

  get areAllReady(): boolean {
    const { hosts, without } = this.ledger;
    return without.length === 0 && this.agents.names.every(name => hosts.get(name) !== undefined);
  }

  /** @returns the number by which it ends */
  faultBegins(cause: string, on: { host?: string; agent?: string; silences: boolean }): number {
    const fault = ++this.#faults;
    this.ledger.add({ kind: 'fault-begins', at: this.now, fault, cause, ...on });
    return fault;
  }

  faultEnds(fault: number): void {
    this.ledger.add({ kind: 'fault-ends', at: this.now, fault });
  }

  problem(what: string): void {
    if (this.options.signal.aborted || this.problems.length >= MOST_PROBLEMS) return;
    this.problems.push(what);
    this.options.say(`*** ${what}`);
  }

  /** @throws Error: it did not come to this in time, or the run is over */
  async comes(holds: () => boolean, what: string, limitMs: number): Promise<void> {
    const end = performance.now() + limitMs;
    while (!holds()) {
      if (performance.now() > end) throw new Error(`it never came to this: ${what}`);
      await this.wait(LOOK_MS);
    }
  }

  /** Does it again and again until it does not throw. @throws Error: it always did, or the run is over */
  async eventually(act: () => Promise<unknown>, what: string, limitMs: number): Promise<void> {
    const end = performance.now() + limitMs;
    for (;;) {
      try {
        await act();
        return;
      } catch (error) {
        if (performance.now() > end) throw new Error(`it never came to this: ${what}: ${reasonOf(error)}`);
      }
      await this.wait(LOOK_MS);
    }
  }

  /** @throws Error: the run is over */
  async wait(ms: number): Promise<void> {
    await delay(systemClock, ms, this.options.signal);
    this.options.signal.throwIfAborted();
  }

  /** What a fault leads to must not end the run. */
  async try(what: string, act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.problem(`${what}: ${reasonOf(error)}`);
    }
  }

  /** @returns the folder where the logs of all processes stay */
  async keepLogs(): Promise<string> {
    const kept = await mkdtemp(join(tmpdir(), 'muster-chaos-logs-'));
    await cp(join(this.folder, 'logs'), kept, { recursive: true });
    return kept;
  }

  #read(name: string, { level, message, ...fields }: LogEntry): void {
    if (level !== 'error') return;
    const text = `${message} ${JSON.stringify(fields)}`;
    if (BUG.test(text)) this.problem(`${name} logs: ${text.slice(0, 500)}`);
  }

  #readAgent(name: string, entry: LogEntry): void {
    const { message, host, move, reason = '', stays } = entry;
    const at = this.now;
    if (host !== undefined && message.startsWith('Connected to the host:')) {
      this.ledger.add({ kind: 'ready', at, agent: name, host });
      if (move === 'failback') this.failbacks.set(name, (this.failbacks.get(name) ?? 0) + 1);
    } else if (host !== undefined && message.startsWith('Lost connection to host:'))
      this.ledger.add({ kind: 'lost', at, agent: name, host, reason, stays });
    this.#read(name, entry);
  }
}

interface Parts extends Pick<World, 'folder' | 'options' | 'network' | 'clocks' | 'store'> {
  readonly proxies: readonly FaultyProxy[];
  readonly port: number;
  readonly apiPort: number;
}
