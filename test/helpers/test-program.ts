import { accessSync, constants, rmSync, statSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { endAll, untilInterrupted } from '../../scripts/galera/processes.js';

/** As of a program that SIGINT ends: 128 and the number of the signal. */
const INTERRUPTED = 130;
const UNITS = { s: 1_000, m: 60_000, h: 3_600_000 };

/** What a program of the tests has for as long as it runs. */
export interface ProgramLife {
  /** Aborted by Ctrl-C, by other signals that end a program, and when nobody reads its output any more. */
  readonly signal: AbortSignal;
  /** Rejects then. */
  readonly aborted: Promise<never>;
  /** To be done at the end, also of an interrupted program, in the reverse order. */
  teardown(step: () => unknown): void;
  /** A new folder on the disk, which is removed at the end. */
  folder(prefix: string): Promise<string>;
}

/**
 * Runs a program of the tests, and ends this process: with what `run` returns, with 1 when it throws, with 130 when it was
 * interrupted. Each `Process` that is left is killed. `run` has to end when the signal is aborted.
 */
export async function runProgram(run: (life: ProgramLife) => Promise<number>): Promise<never> {
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => {});
  void untilInterrupted().then(() => controller.abort());
  process.stdout.on('error', () => controller.abort());
  const undo: (() => unknown)[] = [];
  const life: ProgramLife = {
    signal,
    aborted,
    teardown: step => void undo.unshift(step),
    async folder(prefix) {
      const folder = await mkdtemp(join(tmpdir(), prefix));
      life.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
      return folder;
    },
  };
  let code = 1;
  try {
    code = await run(life);
  } catch (error) {
    // A child that Ctrl-C has reached may be noticed before the signal is.
    await turn();
    if (!signal.aborted) console.error(error);
  }
  for (const step of undo) {
    try {
      await step();
    } catch (error) {
      console.error(error);
    }
  }
  await endAll();
  process.exit(signal.aborted ? INTERRUPTED : code);
}

/** Milliseconds. @throws RangeError: it is no time */
export function timeOf(what: string, text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,6})([smh])$/.exec(text) ?? [];
  const factor = Object.entries(UNITS).find(([name]) => name === unit)?.[1];
  if (factor === undefined) throw new RangeError(`${what} ${text}: such as 60s, 10m, 2h is needed`);
  return Number(number) * factor;
}

/** The path of a file that can be written. @param what such as `--json`. @throws Error: it cannot */
export function writableFile(what: string, path: string): string {
  const folder = dirname(path);
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    throw new Error(`${what} ${path}: there is no folder ${folder} to write to`);
  }
  const found = statSync(path, { throwIfNoEntry: false });
  if (!statSync(folder).isDirectory() || (found !== undefined && !found.isFile()))
    throw new Error(`${what} ${path}: it is no file`);
  return path;
}
