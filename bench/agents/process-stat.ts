import { readFileSync } from 'node:fs';

/** Linux counts in these for programs, whatever the kernel's own clock is (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;
/** Of `utime` and `stime` behind the name of the program, which is in brackets: see proc(5). */
const [UTIME, STIME] = [11, 12];

/** CPU time that all threads of a process have had, in milliseconds, in steps of 10. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[UTIME]) + Number(fields[STIME])) * 1_000) / TICKS_PER_SECOND;
}

/** Memory of a process that is in RAM, in bytes. */
export function rssBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return Number(kilobytes) * 1_024;
}
