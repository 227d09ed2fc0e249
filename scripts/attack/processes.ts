// The server that is attacked and the honest fleet beside it, as processes of their own, and what can be measured of them.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 5_000;
const LOOK_MS = 50;

/** A program of dist/ that logs to a file in its folder. */
class Program {
  readonly #child: ChildProcess;
  readonly #logFile: string;

  constructor(script: string, folder: string, settings: Readonly<Record<string, string | number>>) {
    const name = script.replace('.js', '.log');
    const all = { ...settings, 'log.format': 'json', 'log.file': name };
    const args = Object.entries(all).map(([key, value]) => `${key}=${value}`);
    this.#child = spawn(process.execPath, [join(root, 'dist', script), ...args], { cwd: folder, stdio: 'ignore' });
    this.#logFile = join(folder, name);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get logBytes(): number {
    return statSync(this.#logFile, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** The lines of the log so far. */
  get lines(): LogLine[] {
    if (this.logBytes === 0) return [];
    const complete = readFileSync(this.#logFile, 'utf8').split('\n').slice(0, -1);
    return complete.map(line => JSON.parse(line) as LogLine);
  }

  /** The first line of the log with this message. @throws Error: it does not come in time */
  async says(message: string): Promise<LogLine> {
    const deadline = performance.now() + START_LIMIT_MS;
    while (this.isAlive && performance.now() < deadline) {
      const found = this.lines.find(line => line.message === message);
      if (found) return found;
      await sleep(LOOK_MS);
    }
    const last = this.lines.at(-1);
    throw new Error(`${this.#logFile} does not say "${message}"; its last line: ${JSON.stringify(last)}`);
  }

  async stop(): Promise<void> {
    if (!this.isAlive) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGINT');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_LIMIT_MS);
    await ended;
    clearTimeout(late);
  }

  /** At once and without waiting, for a process that ends. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

interface LogLine {
  readonly message: string;
  readonly port?: number;
  readonly ready?: number;
  readonly linksLost?: number;
}

/** The management server, on 127.0.0.1. */
export class Server extends Program {
  constructor(folder: string) {
    super('mgmt.js', folder, {
      'bind.address': '127.0.0.1',
      port: 0,
      'cluster.node.IP': '127.0.0.1',
      'api.address': '127.0.0.1',
      'api.port': 0,
      'data.dir': 'data',
      'db.url': 'sqlite:data/muster.db',
      'ping.interval': 1,
      // Where a stranger comes furthest.
      'ca.plugin.root.auth.strictness': 'false',
    });
  }

  /** Resident memory, in bytes. */
  get memory(): number {
    const [, kilobytes = '0'] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8')) ?? [];
    return Number(kilobytes) * 1024;
  }

  /** Open files and sockets. */
  get descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }
}

/** Honest agents, on 127.0.0.1. */
export class Fleet extends Program {
  readonly #agents: number;

  constructor(folder: string, port: number, agents: number) {
    super('fleet.js', folder, { host: '127.0.0.1', port, agents, 'report.interval': 1 });
    this.#agents = agents;
  }

  /** Resolves when all of them are Ready. */
  async ready(): Promise<void> {
    const deadline = performance.now() + START_LIMIT_MS;
    while (this.#census?.ready !== this.#agents) {
      if (!this.isAlive || performance.now() > deadline) throw new Error('the honest agents do not become Ready');
      await sleep(LOOK_MS);
    }
  }

  /** Since the start. */
  get linksLost(): number {
    return this.#census?.linksLost ?? 0;
  }

  get #census(): LogLine | undefined {
    return this.lines.findLast(({ message }) => message === 'Agents');
  }
}
