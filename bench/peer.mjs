import { KINDS } from './kinds.mjs';

/** One end of the connections, in a process of its own; the other side of `run.mjs`. */
const DO = {
  listen: ({ kind, credentials }) => KINDS[kind].listen(credentials),

  /** Connections set up and ended, a few at a time. */
  async handshakes({ kind, port, ms }) {
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
    return count / ((performance.now() - start) / 1000);
  },

  /** Round trips over one connection, so many at a time. */
  async echoes({ kind, port, inFlight, ms }) {
    let count = 0;
    let deadline = Number.POSITIVE_INFINITY;
    let done;
    const finished = new Promise(resolve => {
      done = resolve;
    });
    const { send, close } = await KINDS[kind].connect(port, () => {
      count++;
      if (performance.now() < deadline) send();
      else done();
    });
    for (let packet = 0; packet < inFlight; packet++) send();
    // Let the machine code get warm first.
    await new Promise(resolve => setTimeout(resolve, ms / 3));
    count = 0;
    const start = performance.now();
    deadline = start + ms;
    await finished;
    const rate = count / ((performance.now() - start) / 1000);
    close();
    return rate;
  },

  /** Connections that stay. */
  async connect({ kind, port, count }) {
    for (let made = 0; made < count; made += 10) {
      kept.push(...(await Promise.all(Array.from({ length: 10 }, () => KINDS[kind].connect(port, () => {})))));
    }
  },

  /** One round trip each, so that an idle connection is one that has been used. */
  async useAll() {
    for (const { send } of kept) send();
    await new Promise(resolve => setTimeout(resolve, 300));
  },

  async memory() {
    for (let turn = 0; turn < 4; turn++) {
      globalThis.gc();
      await new Promise(resolve => setTimeout(resolve, 50));
    }
    const { rss, heapUsed, external } = process.memoryUsage();
    return { rss, heap: heapUsed + external };
  },
};

const kept = [];

process.on('message', async ({ id, what, args }) => {
  try {
    process.send({ id, result: await DO[what](args) });
  } catch (error) {
    process.send({ id, error: String(error) });
  }
});
process.on('disconnect', () => process.exit());
