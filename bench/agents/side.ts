import { Child } from '../child.js';
import { inFolder } from '../clean-up.js';
import type { Sizes } from './conversation.js';
import type { LoadOperations } from './load.js';
import { type MeasuredServer, startFloor, startMuster } from './servers.js';

/** One of the two sides of a comparison: its servers, and a process for the load on them. */
export interface Side {
  /** @param folder what the server keeps: the same folder again has the same hosts */
  start(folder: string): Promise<MeasuredServer>;
  readonly load: Child<LoadOperations>;
  /** What the load sends, where it is no agent of Muster's. */
  readonly sizes?: Sizes;
}

/** Management servers of a checkout. @param root its folder */
export function musterSide(root: string, authority: string): Side {
  return { start: folder => startMuster({ root, folder, authority }), load: openLoad() };
}

/** Plain node:tls. */
export function floorSide(authority: string, sizes: Sizes): Side {
  return { start: () => startFloor(authority, sizes), load: openLoad(), sizes };
}

/** A process for agents. */
export function openLoad(): Child<LoadOperations> {
  return new Child<LoadOperations>(new URL('./load.js', import.meta.url));
}

/** How long the packets of a conversation with a management server are. */
export function sampleSizes(root: string, authority: string): Promise<Sizes> {
  return inFolder(async folder => {
    const { start, load } = musterSide(root, authority);
    const server = await start(folder);
    try {
      await load.do('connect', { port: server.port, count: 1, atOnce: 1, authority });
      await load.do('ping', { times: 1, atOnce: 1 });
      const sizes = await load.do('sizes');
      if (sizes === undefined) throw new Error('there is no agent');
      return sizes;
    } finally {
      load.stop();
      await server.stop();
    }
  });
}
