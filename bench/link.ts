import { pathToFileURL } from 'node:url';
import { cpuMs } from './agents/process-stat.js';
import { certificate } from './certificate.js';
import { Child } from './child.js';
import type { KindName } from './kinds.js';
import type { Operations } from './peer.js';
import type { Row } from './rows.js';
import { progressOf, takeTurns } from './statistics.js';

export interface LinkOptions {
  readonly isQuick: boolean;
  readonly rounds: number;
  /** The checkout whose link is measured. Its `build/bench` has this script. */
  readonly root: string;
  /** Another one beside it. @default plain node:tls, which merges no writes */
  readonly baseRoot?: string | undefined;
}

const IN_FLIGHT = 32;

/** Of round trips. */
interface Figures {
  readonly perSecond: number;
  readonly cpuMs: number;
}

/** Packets over one link, several in flight. */
export async function measureLink({ isQuick, rounds, root, baseRoot }: LinkOptions): Promise<readonly Row[]> {
  const here = await openEnds(root, 'link');
  const base = await (baseRoot === undefined ? openEnds(root, 'node:tls, unmerged') : openEnds(baseRoot, 'link'));
  const ms = isQuick ? 50 : 1_000;
  try {
    // V8 optimises the code first.
    for (const ends of [here, base]) await ends.echoes(5 * ms);
    const sides = { here: () => here.echoes(ms), base: () => base.echoes(ms) };
    const pairs = await takeTurns(rounds, sides, progressOf('one link', rounds));
    const of = (figure: keyof Figures) => pairs.map(pair => ({ here: pair.here[figure], base: pair.base[figure] }));
    const what = `over one link, ${IN_FLIGHT} in flight`;
    return [
      { what: `packets/s ${what}`, digits: 0, values: of('perSecond'), goal: { atLeast: 0.5 } },
      { what: 'CPU of both ends for such a packet, ms', digits: 3, values: of('cpuMs') },
    ];
  } finally {
    here.stop();
    base.stop();
  }
}

/** Both ends, each in a process of its own. */
async function openEnds(root: string, kind: KindName) {
  const open = () => new Child<Operations>(new URL('build/bench/peer.js', pathToFileURL(`${root}/`)));
  const [server, client] = [open(), open()];
  const port = await server.do('listen', { kind, certificates: await certificate() });
  return {
    async echoes(ms: number): Promise<Figures> {
      const used = () => cpuMs(server.pid) + cpuMs(client.pid);
      const before = used();
      const { perSecond, total } = await client.do('echoes', { kind, port, ms, inFlight: IN_FLIGHT });
      return { perSecond, cpuMs: (used() - before) / total };
    },
    stop() {
      server.stop();
      client.stop();
    },
  };
}
