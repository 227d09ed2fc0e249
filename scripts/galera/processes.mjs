import { spawn } from 'node:child_process';

const running = new Set();
let isEnding = false;

/** A process in a group of its own: a terminal's Ctrl-C reaches us alone, and what it starts itself ends with it. */
export class Process {
  #child;
  /** Resolves with how it ended: a code, a signal, or why it could not be started. */
  ended;
  end;

  constructor(command, args, { stdio = 'ignore', ...user } = {}) {
    // Whoever goes on while everything is being ended starts nothing any more.
    if (isEnding) throw new Error('everything is being ended');
    this.#child = spawn(command, args, { ...user, stdio, detached: true });
    running.add(this);
    this.ended = new Promise(resolve => {
      this.#child.once('error', error => resolve(error.message));
      this.#child.once('exit', (code, signal) => resolve(signal ?? code));
    }).then(end => {
      this.end = end;
      return end;
    });
  }

  get pid() {
    return this.#child.pid;
  }

  get stdout() {
    return this.#child.stdout;
  }

  get stderr() {
    return this.#child.stderr;
  }

  /** kill -9, of all that it has started as well. */
  async kill() {
    if (this.pid === undefined) return;
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // It had ended, and nothing of it is left.
    }
    await this.ended;
    running.delete(this);
  }
}

export async function endAll() {
  isEnding = true;
  await Promise.all([...running].map(one => one.kill()));
}

/** Waits for the end. @returns how it ended, and what it said */
export async function output(command, args, user) {
  const child = new Process(command, args, { ...user, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name]?.setEncoding('utf8').on('data', text => {
      said[name] += text;
    });
  }
  const end = await child.ended;
  await child.kill();
  return { end, ...said };
}
