import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The wall clocks of processes, each of which can be set. */
export interface Clocks {
  /** What the environment of a process needs that is to have a clock of its own. */
  environmentOf(name: string): Readonly<Record<string, string>>;
  /** Undefined: libfaketime is not here. @param byMs from the time of this machine */
  readonly set: ((name: string, byMs: number) => void) | undefined;
  /** A process that was killed leaves what libfaketime shares with its children. */
  forget(pid: number): void;
}

const PREFIXES = ['/usr/lib', '/usr/local/lib'];
const LIBRARY = 'libfaketimeMT.so.1';

/** @param say is told, once, when libfaketime is not installed, or does not work */
export function openClocks(folder: string, say: (line: string) => void): Clocks {
  const fileOf = (name: string) => join(folder, `${name}.clock`);
  const environmentWith = (library: string, name: string) => ({
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: fileOf(name),
    FAKETIME_CACHE_DURATION: '1',
    // Only the wall clock is set: timers go by the monotonic one, which no operator can set either.
    DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  });
  const set = (name: string, byMs: number) => {
    const seconds = Math.round(byMs / 1_000);
    writeFileSync(fileOf(name), `${seconds < 0 ? '' : '+'}${seconds}\n`);
  };
  const library = findLibrary();
  if (library === undefined || !works(library)) {
    const why = library === undefined ? 'is not installed (Debian: apt-get install faketime)' : 'does not work here';
    say(`*** libfaketime ${why}, so NO clocks are set`);
    return { environmentOf: () => ({}), set: undefined, forget() {} };
  }
  return {
    environmentOf(name) {
      set(name, 0);
      return environmentWith(library, name);
    },
    set,
    forget(pid) {
      for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`])
        rmSync(`/dev/shm/${name}`, { force: true });
    },
  };

  function works(library: string): boolean {
    set('probe', 3_600_000);
    try {
      const program = 'process.stdout.write(String(Date.now()))';
      const env = environmentWith(library, 'probe');
      const told = Number(
        execFileSync(process.execPath, ['-e', program], { env, stdio: ['ignore', 'pipe', 'ignore'] }),
      );
      return told - Date.now() > 1_800_000;
    } catch {
      return false;
    }
  }
}

function findLibrary(): string | undefined {
  for (const prefix of PREFIXES) {
    for (const folder of ['', ...namesIn(prefix)]) {
      if (namesIn(join(prefix, folder, 'faketime')).includes(LIBRARY)) return join(prefix, folder, 'faketime', LIBRARY);
    }
  }
  return undefined;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
