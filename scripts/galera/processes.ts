import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

const running = new Set<Process>();
let isEnding = false;

export interface ProcessOptions {
  /** @default 'ignore' */
  readonly stdio?: StdioOptions;
  readonly cwd?: string;
  /** @default that of this process */
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
}

/** Why a process is gone: an exit code, a signal, or the message of the error that kept it from starting. */
export type ProcessEnd = number | string;

/** A process in a group of its own: Ctrl-C does not reach it, and `kill` ends what it has started as well. */
export class Process {
  readonly ended: Promise<ProcessEnd>;
  /** Undefined while it runs. */
  end: ProcessEnd | undefined;
  readonly #child: ChildProcess;

  constructor(command: string, args: readonly string[], { stdio = 'ignore', ...others }: ProcessOptions = {}) {
    // While `endAll` waits, what it interrupts must not start anything.
    if (isEnding) throw new Error('all processes are being ended');
    const child = spawn(command, args, { ...others, stdio, detached: true });
    this.#child = child;
    running.add(this);
    this.ended = new Promise<ProcessEnd>(resolve => {
      child.once('error', error => resolve(error.message));
      child.once('exit', (code, signal) => resolve(signal ?? code ?? 'unknown'));
    }).then(end => {
      this.end = end;
      return end;
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get stdout(): Readable | null {
    return this.#child.stdout;
  }

  get stderr(): Readable | null {
    return this.#child.stderr;
  }

  /** Sends it to the whole group. */
  signal(name: NodeJS.Signals): void {
    if (this.pid === undefined) return;
    try {
      process.kill(-this.pid, name);
    } catch {
      // The group has no process any more.
    }
  }

  /** `kill -9` for the whole group. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    if (this.pid !== undefined) await this.ended;
    running.delete(this);
  }
}

/** Kills every `Process`; from now on none can be started. */
export async function endAll(): Promise<void> {
  isEnding = true;
  await Promise.all([...running].map(one => one.kill()));
}

/** Resolves at SIGINT, SIGTERM or SIGHUP. A second one changes nothing. */
export function untilInterrupted(): Promise<void> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => resolve());
  });
}

/** Runs a command to its end. */
export async function output(
  command: string,
  args: readonly string[],
  user: Pick<ProcessOptions, 'uid' | 'gid'> = {},
): Promise<{ readonly end: ProcessEnd; readonly stdout: string; readonly stderr: string }> {
  const child = new Process(command, args, { ...user, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', text => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', text => {
    stderr += text;
  });
  const end = await child.ended;
  // Also what it has started, and left behind.
  await child.kill();
  return { end, stdout, stderr };
}
