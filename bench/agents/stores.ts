import { join } from 'node:path';
import { isInstalled, type MariaDb, mariaDb } from '../../scripts/mariadb/mariadb.js';
import { freePort } from '../../scripts/programs/free-port.js';
import { Child } from '../child.js';
import { atEnd, inFolder } from '../clean-up.js';
import type { Row } from '../rows.js';
import { progressOf, takeTurns } from '../statistics.js';
import { newAuthority } from './authority.js';
import { settleMs } from './index.js';
import type { MeasuredServer } from './servers.js';
import { openLoad } from './side.js';
import type { StoreServerOperations, StoreServerOptions } from './store-server.js';
import { measureStorm, type Storm } from './storm.js';

export interface StoresOptions {
  readonly isQuick: boolean;
  readonly rounds: number;
  /** New hosts in each storm. */
  readonly agents: number;
}

/** The store of one server. @param folder empty */
type OpenDatabase = (folder: string) => Promise<Pick<StoreServerOptions, 'dbUrl' | 'agentsInMemory'>>;

/** Storms of new hosts on each kind of store. The base of the rows is a server that has none for its agents. */
export async function measureStores({ isQuick, rounds, agents }: StoresOptions): Promise<readonly Row[]> {
  const authority = await newAuthority();
  const load = openLoad();
  const stormOn = (open: OpenDatabase) => {
    const start = (folder: string) => startServer(folder, open);
    return () => measureStorm({ load, start }, { agents, authority, settleMs: settleMs(isQuick) });
  };
  try {
    return await withMariaDb(async mariadb => {
      const sqlite = (folder: string) => `sqlite:${join(folder, 'muster.db')}`;
      const without = stormOn(async folder => ({ dbUrl: sqlite(folder), agentsInMemory: true }));
      const stores: Record<string, () => Promise<Storm>> = {
        SQLite: stormOn(async folder => ({ dbUrl: sqlite(folder), agentsInMemory: false })),
        ...(mariadb && {
          MariaDB: stormOn(async () => ({ dbUrl: await mariadb.createDatabase(), agentsInMemory: false })),
        }),
      };
      const measured = await takeTurns<string, Storm>(rounds, { without, ...stores }, progressOf('stores', rounds));
      return Object.keys(stores).flatMap(name =>
        FIGURES.map(({ what, digits, of }) => ({
          what: `${name}: ${what}`,
          agents,
          certificates: 'none',
          digits,
          values: measured.map(round => ({ here: of(round[name], agents), base: of(round.without, agents) })),
          goal: { atMost: 1.2 },
        })),
      );
    });
  } finally {
    load.stop();
  }
}

interface Figure {
  readonly what: string;
  readonly digits: number;
  of(storm: Storm | undefined, agents: number): number;
}

const FIGURES: readonly Figure[] = [
  { what: 'server CPU for an agent to Ready, ms', digits: 2, of: storm => storm?.connectCpuMs ?? Number.NaN },
  {
    what: 'until the last agent is Ready, s',
    digits: 2,
    of: (storm, agents) => agents / (storm?.connectsPerSecond ?? Number.NaN),
  },
];

async function startServer(folder: string, open: OpenDatabase): Promise<MeasuredServer> {
  const child = new Child<StoreServerOperations>(new URL('./store-server.js', import.meta.url));
  const port = await child.do('start', { folder, port: await freePort(), ...(await open(folder)) });
  return {
    pid: child.pid,
    port,
    collect: () => child.do('collect'),
    async stop() {
      await child.do('stop');
      child.stop();
    },
  };
}

/** @param use gets undefined where MariaDB is not installed, which is said aloud */
async function withMariaDb<T>(use: (mariadb: MariaDb | undefined) => Promise<T>): Promise<T> {
  if (!isInstalled()) {
    console.error('*** MariaDB is not installed, so a storm on it is NOT measured: apt-get install mariadb-server');
    return use(undefined);
  }
  return inFolder(async folder => {
    const mariadb = mariaDb({ folder, port: await freePort() });
    const kill = atEnd(() => void mariadb.kill());
    try {
      await mariadb.start();
      return await use(mariadb);
    } finally {
      await mariadb.kill();
      kill();
    }
  });
}
