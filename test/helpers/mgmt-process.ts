import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { enrolmentToken } from '../../scripts/enrolment-token.js';

const ENTRY = fileURLToPath(import.meta.resolve('#dist/mgmt.js'));

/** The real server, built, in a process of its own. */
export class MgmtProcess {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  readonly #cwd: string;
  readonly #exit: Promise<number | null>;

  constructor(t: Test, cwd: string, args: readonly string[]) {
    this.#cwd = cwd;
    this.child = spawn(process.execPath, [ENTRY, ...args], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH ?? '' },
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

  /** Resolves when it listens. */
  async port(): Promise<number> {
    const [, port] = await this.says(/Listening for agents.* port=(\d+)/);
    return Number(port);
  }

  /** An enrolment token, made with the key in `data`, the default of `data.dir`. */
  enrolmentToken(uses = 1): Promise<string> {
    return enrolmentToken(join(this.#cwd, 'data', 'cloudstack.ini'), { uses });
  }

  async stop(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.#exit;
  }
}

/** A port that somebody has. */
export async function takenPort(t: Test): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}
