import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';

/** A program in a process of its own. */
export class ProgramProcess {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  readonly cwd: string;
  readonly #exit: Promise<number | null>;

  /**
   * @param entry the path of its file
   * @param env what it has beside PATH
   */
  constructor(
    t: Test,
    entry: string,
    cwd: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ) {
    this.cwd = cwd;
    this.child = spawn(process.execPath, [entry, ...args], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH ?? '', ...env },
    });
    this.child.stdout?.on('data', chunk => {
      this.stdout += chunk;
    });
    this.child.stderr?.on('data', chunk => {
      this.stderr += chunk;
    });
    this.#exit = once(this.child, 'close').then(([code]) => code as number | null);
    t.teardown(() => void this.child.kill('SIGKILL'));
  }

  /** The exit code; null when a signal ended it. */
  get exit(): Promise<number | null> {
    return this.#exit;
  }

  /** Resolves with the first match in what it prints. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stdout);
      if (match) return match;
      const ended = await Promise.race([
        once(this.child.stdout as NodeJS.ReadableStream, 'data').then(() => false),
        this.#exit.then(() => true),
      ]);
      if (ended && !pattern.test(this.stdout)) {
        throw new Error(`it ended without saying ${pattern}:\n${this.stdout}${this.stderr}`);
      }
    }
  }

  async stop(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.#exit;
  }
}
