import { readdirSync, readFileSync } from 'node:fs';

/** What a process has at a moment. */
export interface FootprintSample {
  readonly name: string;
  readonly pid: number;
  /** Milliseconds since the world was made. */
  readonly at: number;
  readonly bytes: number;
  /** Open files and sockets; of a server without those of its Ready agents. */
  readonly descriptors: number;
}

/** What became of one process over its time: medians of its second quarter and of its last one. */
export interface Footprint {
  readonly name: string;
  readonly minutes: number;
  readonly bytes: readonly [early: number, late: number];
  readonly descriptors: readonly [early: number, late: number];
  readonly isFlat: boolean;
}

const PAGE_BYTES = 4_096;
/** Of a process with fewer nobody can say whether it grows. */
const LEAST_SAMPLES = 24;
/** What is still flat: a part of what there was, and something for what comes and goes. */
const FLAT = { part: 1.15, bytes: 12_000_000, descriptors: 20 };

/** @returns undefined: there is no such process, or no /proc */
export function sampleOf(name: string, pid: number, at: number): FootprintSample | undefined {
  try {
    const [, pages = '0'] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
    const descriptors = readdirSync(`/proc/${pid}/fd`).length;
    return { name, pid, at, bytes: Number(pages) * PAGE_BYTES, descriptors };
  } catch {
    return undefined;
  }
}

/** The first quarter is left out: then caches fill. Pure. */
export function footprintsOf(samples: readonly FootprintSample[]): readonly Footprint[] {
  const footprints: Footprint[] = [];
  for (const all of byPid(samples).values()) {
    const [first, last] = [all[0], all.at(-1)];
    if (first === undefined || last === undefined || all.length < LEAST_SAMPLES) continue;
    const quarter = Math.floor(all.length / 4);
    const [early, late] = [all.slice(quarter, 2 * quarter), all.slice(-quarter)];
    const bytes = [median(early.map(one => one.bytes)), median(late.map(one => one.bytes))] as const;
    const descriptors = [median(early.map(one => one.descriptors)), median(late.map(one => one.descriptors))] as const;
    footprints.push({
      name: first.name,
      minutes: (last.at - first.at) / 60_000,
      ...{ bytes, descriptors },
      isFlat: isFlat(bytes, FLAT.bytes) && isFlat(descriptors, FLAT.descriptors),
    });
  }
  return footprints;
}

function byPid(samples: readonly FootprintSample[]): ReadonlyMap<number, readonly FootprintSample[]> {
  const groups = new Map<number, FootprintSample[]>();
  for (const sample of samples) {
    const group = groups.get(sample.pid);
    if (group === undefined) groups.set(sample.pid, [sample]);
    else group.push(sample);
  }
  return groups;
}

function isFlat([early, late]: readonly [number, number], more: number): boolean {
  return late <= early * FLAT.part + more;
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}
