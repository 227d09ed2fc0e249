import { setTimeout as sleep } from 'node:timers/promises';
import type { TlsCertificates } from '#dist/protocol/index.js';
import { serveParent } from './child.js';
import { collectGarbage } from './collect-garbage.js';
import { type Connection, KINDS, type KindName } from './kinds.js';

/** One end of the connections, in a process of its own; `run.ts` starts it, and sends it one `PeerRequest` at a time. */
const operations = {
  /** @returns the port */
  listen: ({ kind, certificates }: { kind: KindName; certificates: TlsCertificates }): Promise<number> =>
    KINDS[kind].listen(certificates),

  /** Opens and closes connections, eight at a time. @returns how many a second */
  async handshakes({ kind, port, ms }: RateRequest): Promise<number> {
    let count = 0;
    const start = performance.now();
    const worker = async () => {
      while (performance.now() - start < ms) {
        const { close } = await KINDS[kind].connect(port, () => {});
        close();
        count++;
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    return perSecond(count, start);
  },

  /** Round trips over one connection, `inFlight` at a time. */
  async echoes({ kind, port, ms, inFlight }: RateRequest & { inFlight: number }): Promise<Echoes> {
    let count = 0;
    let deadline = Number.POSITIVE_INFINITY;
    let finish = () => {};
    const finished = new Promise<void>(resolve => {
      finish = resolve;
    });
    const { send, close } = await KINDS[kind].connect(port, () => {
      count++;
      if (performance.now() < deadline) send();
      else finish();
    });
    for (let packet = 0; packet < inFlight; packet++) send();
    // V8 optimises the code first.
    await sleep(ms / 3);
    const before = count;
    count = 0;
    const start = performance.now();
    deadline = start + ms;
    await finished;
    const rate = perSecond(count, start);
    close();
    return { perSecond: rate, total: before + count };
  },

  /** Opens `count` connections, which stay open. */
  async connect({ kind, port, count }: { kind: KindName; port: number; count: number }): Promise<void> {
    for (let made = 0; made < count; made += 10) {
      open.push(...(await Promise.all(Array.from({ length: 10 }, () => KINDS[kind].connect(port, () => {})))));
    }
  },

  /** One round trip on each open connection: the memory of an idle connection is measured after it has been used. */
  async useAll(): Promise<void> {
    for (const { send } of open) send();
    await sleep(300);
  },

  /** After garbage collection, in bytes. */
  async memory(): Promise<Memory> {
    await collectGarbage();
    const { rss, heapUsed, external } = process.memoryUsage();
    return { rss, heap: heapUsed + external };
  },
};

interface RateRequest {
  readonly kind: KindName;
  readonly port: number;
  readonly ms: number;
}

export interface Echoes {
  readonly perSecond: number;
  /** With those before the rate was measured. */
  readonly total: number;
}

export interface Memory {
  readonly rss: number;
  readonly heap: number;
}

export type Operations = typeof operations;
const open: Connection[] = [];

function perSecond(count: number, start: number): number {
  return count / ((performance.now() - start) / 1000);
}

serveParent(operations);
