import { pathToFileURL } from 'node:url';
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

/** Packets over one link, several in flight. */
export async function measureLink({ isQuick, rounds, root, baseRoot }: LinkOptions): Promise<readonly Row[]> {
  const here = await openEnds(root, 'link');
  const base = await (baseRoot === undefined ? openEnds(root, 'node:tls, unmerged') : openEnds(baseRoot, 'link'));
  const ms = isQuick ? 50 : 1_000;
  try {
    const sides = { here: () => here.echoes(ms), base: () => base.echoes(ms) };
    const values = await takeTurns(rounds, sides, progressOf('one link', rounds));
    return [{ what: `packets/s over one link, ${IN_FLIGHT} in flight`, digits: 0, values, goal: { atLeast: 0.5 } }];
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
    echoes: (ms: number) => client.do('echoes', { kind, port, ms, inFlight: IN_FLIGHT }),
    stop() {
      server.stop();
      client.stop();
    },
  };
}
