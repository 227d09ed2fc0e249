import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster, requireInstalled } from '../../scripts/galera/cluster.js';
import { DEFAULT_FIRST_PORT, requireFreePorts } from '../../scripts/galera/ports.js';
import { startMariaDb } from '../helpers/mariadb.js';
import { mountSmallDisk, type SmallDisk } from './small-disk.js';

export const STORE_NAMES = ['sqlite', 'mariadb', 'galera'] as const;
export type StoreName = (typeof STORE_NAMES)[number];

/** Where the servers keep what they share. */
export interface ChaosStore {
  /** `db.url`. */
  readonly url: string;
  /** Its processes. */
  readonly databases: readonly Database[];
  /** Undefined: it is not on a disk that can be full. */
  readonly disk: SmallDisk | undefined;
}

/** A process of the store. */
export interface Database {
  kill(): Promise<void>;
  /** Again, with the same data. */
  start(): Promise<void>;
  freeze(): void;
  thaw(): void;
}

/** What has to be undone at the end, in the reverse order. */
export interface Teardowns {
  teardown(run: () => unknown): void;
}

const SQLITE_MEGABYTES = 64;
/** A cluster uses ports in three ranges, each of a few. */
const [PORT_STEP, MOST_PORT_STEPS] = [10, 9];

export async function openStore(name: StoreName, folder: string, t: Teardowns): Promise<ChaosStore> {
  switch (name) {
    case 'sqlite': {
      const home = join(folder, 'store');
      await mkdir(home);
      const disk = await mountSmallDisk(home, SQLITE_MEGABYTES);
      if (disk) t.teardown(() => disk.close());
      return { url: `sqlite:${join(home, 'muster.db')}`, databases: [], disk };
    }
    case 'mariadb': {
      const database = await startMariaDb(t);
      return { url: await database.createDatabase(), databases: [database], disk: undefined };
    }
    case 'galera': {
      requireInstalled();
      // Root starts the nodes as another user, to whom the folder of the world is closed.
      const home = await mkdtemp(join(tmpdir(), 'muster-chaos-galera-'));
      t.teardown(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));
      const cluster = new Cluster(await freeFirstPort(), home);
      t.teardown(() => Promise.all(cluster.nodes.map(node => node.kill())));
      await cluster.start(() => {});
      const databases = cluster.nodes.map(node => ({
        kill: () => node.kill(),
        start: async () => void (await node.comeBack()),
        freeze: () => node.freeze(),
        thaw: () => node.thaw(),
      }));
      return { url: cluster.url(), databases, disk: undefined };
    }
  }
}

async function freeFirstPort(): Promise<number> {
  for (let step = 0; ; step++) {
    const port = DEFAULT_FIRST_PORT + step * PORT_STEP;
    try {
      await requireFreePorts(port);
      return port;
    } catch (error) {
      if (step === MOST_PORT_STEPS) throw error;
    }
  }
}
