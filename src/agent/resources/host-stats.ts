import { existsSync, readFileSync } from 'node:fs';
import { cpus, freemem, loadavg, totalmem } from 'node:os';
import { type Clock, delay } from '../../lib/clock.js';

/** Where the figures come from. Counters count up since some moment. */
export interface HostStatsSources {
  /** Milliseconds of all processors. */
  cpu(): { readonly busyMs: number; readonly totalMs: number };
  /** Of the last minute. */
  averageLoad(): number;
  /** Free is also what the system can free at once. */
  memory(): { readonly totalBytes: number; readonly freeBytes: number };
  /** Undefined where the system does not say. */
  network(): { readonly readBytes: number; readonly writtenBytes: number } | undefined;
}

/** As GetHostStatsAnswer has them. */
export interface HostFigures {
  readonly cpuUtilization: number;
  readonly averageLoad: number;
  readonly networkReadKBs: number;
  readonly networkWriteKBs: number;
  readonly totalMemoryKBs: number;
  readonly freeMemoryKBs: number;
}

interface Sample {
  readonly at: number;
  readonly cpu: ReturnType<HostStatsSources['cpu']>;
  readonly network: ReturnType<HostStatsSources['network']>;
}

/** Utilisation is measured over at least this … */
const SHORTEST_MS = 1_000;
/** … and at most this: over a longer time it says nothing about now. */
const LONGEST_MS = 5 * 60_000;
const KB = 1024;

/**
 * How much of the machine is in use. Utilisation is that of the time since the figures were read last; when that was long
 * ago, or never, of the second that follows.
 */
export class HostStats {
  readonly #sources: HostStatsSources;
  readonly #clock: Clock;
  #last: Sample | undefined;
  /** The rates that were measured last. */
  #rates: Pick<HostFigures, 'cpuUtilization' | 'networkReadKBs' | 'networkWriteKBs'> | undefined;
  #measuring: Promise<void> | undefined;

  constructor(sources: HostStatsSources, clock: Clock) {
    this.#sources = sources;
    this.#clock = clock;
  }

  /** What is asked for at the same time is measured once. */
  async read(): Promise<HostFigures> {
    this.#measuring ??= this.#measure().finally(() => {
      this.#measuring = undefined;
    });
    await this.#measuring;
    const { totalBytes, freeBytes } = this.#sources.memory();
    const { cpuUtilization = 0, networkReadKBs = 0, networkWriteKBs = 0 } = this.#rates ?? {};
    return {
      cpuUtilization,
      averageLoad: rounded(this.#sources.averageLoad()),
      networkReadKBs,
      networkWriteKBs,
      totalMemoryKBs: Math.round(totalBytes / KB),
      freeMemoryKBs: Math.round(freeBytes / KB),
    };
  }

  async #measure(): Promise<void> {
    const age = this.#last === undefined ? Number.POSITIVE_INFINITY : this.#clock.now() - this.#last.at;
    if (age < SHORTEST_MS && this.#rates !== undefined) return;
    let from = this.#last;
    if (from === undefined || age > LONGEST_MS) {
      from = this.#sample();
      await delay(this.#clock, SHORTEST_MS);
    }
    const to = this.#sample();
    this.#last = to;
    this.#rates = {
      cpuUtilization: percentage(to.cpu.busyMs - from.cpu.busyMs, to.cpu.totalMs - from.cpu.totalMs),
      networkReadKBs: rate(from.network?.readBytes, to.network?.readBytes, to.at - from.at),
      networkWriteKBs: rate(from.network?.writtenBytes, to.network?.writtenBytes, to.at - from.at),
    };
  }

  #sample(): Sample {
    return { at: this.#clock.now(), cpu: this.#sources.cpu(), network: this.#sources.network() };
  }
}

function percentage(part: number, whole: number): number {
  return whole <= 0 ? 0 : rounded(Math.min(100, Math.max(0, (100 * part) / whole)));
}

/** kB a second. A counter that has begun again counts as still. */
function rate(from: number | undefined, to: number | undefined, ms: number): number {
  if (from === undefined || to === undefined || ms <= 0) return 0;
  return rounded(Math.max(0, to - from) / KB / (ms / 1000));
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** How Linux's files are read. Tests have other ones. */
export interface SystemFiles {
  read(path: string): string;
  exists(path: string): boolean;
}

const FILES: SystemFiles = { read: path => readFileSync(path, 'utf8'), exists: existsSync };

/** The figures of this machine. Of the network, Linux alone says them. */
export function systemSources(files: SystemFiles = FILES): HostStatsSources {
  return {
    cpu() {
      let busyMs = 0;
      let totalMs = 0;
      for (const { times } of cpus()) {
        const { idle, ...busy } = times;
        const busyTime = Object.values(busy).reduce((sum, ms) => sum + ms, 0);
        busyMs += busyTime;
        totalMs += busyTime + idle;
      }
      return { busyMs, totalMs };
    },
    averageLoad: () => loadavg()[0] ?? 0,
    memory: () => ({ totalBytes: totalmem(), freeBytes: freemem() }),
    network: () => networkBytes(files),
  };
}

/**
 * Of the machine's network cards. What passes through one passes through bridges and the interfaces of virtual machines as
 * well, so those are not counted, unless there is no card at all.
 */
function networkBytes(files: SystemFiles): ReturnType<HostStatsSources['network']> {
  let text: string;
  try {
    text = files.read('/proc/net/dev');
  } catch {
    return undefined;
  }
  const all = text.split('\n').flatMap(line => {
    const [, name, counters = ''] = /^\s*([^\s:]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || name === 'lo') return [];
    const numbers = counters.trim().split(/\s+/).map(Number);
    return { name, readBytes: numbers[0] ?? 0, writtenBytes: numbers[8] ?? 0 };
  });
  const cards = all.filter(({ name }) => files.exists(`/sys/class/net/${name}/device`));
  const counted = cards.length > 0 ? cards : all;
  return {
    readBytes: counted.reduce((sum, { readBytes }) => sum + readBytes, 0),
    writtenBytes: counted.reduce((sum, { writtenBytes }) => sum + writtenBytes, 0),
  };
}
