import { createWriteStream, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Process, type ProcessEnd } from '../../scripts/galera/processes.js';

const ENTRIES = {
  mgmt: fileURLToPath(import.meta.resolve('#dist/mgmt.js')),
  agent: fileURLToPath(import.meta.resolve('#dist/agent.js')),
  fleet: fileURLToPath(import.meta.resolve('#dist/fleet.js')),
};

/** A line of a program's log. */
export interface LogEntry {
  readonly level: string;
  readonly message: string;
  readonly agent?: string;
  readonly host?: string;
  readonly reason?: string;
  /** Why an agent went there from another host. */
  readonly move?: string;
  /** The host of the link that is Ready still. */
  readonly stays?: string;
  readonly ready?: number;
}

export interface ProgramSettings {
  readonly program: keyof typeof ENTRIES;
  /** Its settings file. */
  readonly file: string;
  readonly settings: Readonly<Record<string, string | number>>;
  /** What it prints is added to this file. */
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Goes before the command: `ip netns exec NAME`. */
  readonly prefix?: readonly string[];
  onEntry(entry: LogEntry): void;
  /** It has ended, and nobody has killed it. */
  onDeath(end: ProcessEnd, pid: number): void;
}

/** A program of dist/ in a process of its own, which logs JSON. */
export class LoggingProcess {
  readonly #process: Process;
  readonly #log: WriteStream;
  #isKilled = false;

  constructor({ program, file, settings, logFile, env, prefix = [], onEntry, onDeath }: ProgramSettings) {
    const pairs = Object.entries({ ...settings, 'log.format': 'json' }).map(([key, value]) => `${key}=${value}`);
    const [command = '', ...args] = [...prefix, process.execPath, ENTRIES[program], file, ...pairs];
    const child = new Process(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH ?? '', ...env },
    });
    this.#process = child;
    this.#log = createWriteStream(logFile, { flags: 'a' });
    child.stderr?.on('data', chunk => this.#log.write(chunk));
    if (child.stdout) {
      createInterface({ input: child.stdout }).on('line', line => {
        this.#log.write(`${line}\n`);
        const entry = parse(line);
        if (entry !== undefined) onEntry(entry);
      });
    }
    void child.ended.then(end => {
      if (!this.#isKilled) onDeath(end, this.pid);
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  freeze(): void {
    this.#process.signal('SIGSTOP');
  }

  thaw(): void {
    this.#process.signal('SIGCONT');
  }

  async kill(): Promise<void> {
    this.#isKilled = true;
    await this.#process.kill();
    this.#log.end();
  }
}

function parse(line: string): LogEntry | undefined {
  try {
    return JSON.parse(line) as LogEntry;
  } catch {
    return undefined;
  }
}
