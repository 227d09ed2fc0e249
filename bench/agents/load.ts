import type { SecureContext } from 'node:tls';
import { type RawPacket, secureContext } from '#dist/protocol/index.js';
import { serveParent } from '../child.js';
import { collectGarbage } from '../collect-garbage.js';
import { addressCertificate, hostCertificates, trusted } from './authority.js';
import type { Sizes } from './conversation.js';
import { connectLean } from './lean-agent.js';
import type { LoadAgent } from './load-agent.js';
import { connectPlain } from './plain-agent.js';

/** Agents in a process of their own. It has those of one server at a time. */
const operations = {
  /**
   * Opens links to Ready, and keeps them. Agents that were there before, and have ended, come again as the same hosts.
   * @returns milliseconds until all were Ready
   */
  async connect({ port, count, atOnce, sizes, authority, sharesCertificate }: ConnectRequest): Promise<number> {
    const shared = secureContext(await (sharesCertificate ? addressCertificate(authority) : trusted(authority)));
    const filler = Buffer.alloc(sizes ? Math.max(...Object.values(sizes)) : 0, 'x');
    const first = agents.length;
    let next = first;
    const start = performance.now();
    const worker = async () => {
      while (next < first + count) {
        const number = next++;
        const context = contexts[number] ?? shared;
        agents[number] = sizes
          ? await connectPlain(port, context, sizes, filler)
          : await connectLean(port, context, `bench-${number + 1}`, {
              onRequest: packet => noteRequest(number, packet),
            });
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    return performance.now() - start;
  },

  /** Each agent pings, `times` times over. @returns milliseconds */
  async ping({ times, atOnce }: PingRequest): Promise<number> {
    const start = performance.now();
    for (let round = 0; round < times; round++) {
      let next = 0;
      await new Promise<void>(resolve => {
        let answered = 0;
        const one = () => {
          const agent = agents[next++];
          agent?.ping(() => {
            if (++answered === agents.length) resolve();
            else one();
          });
        };
        for (let begun = 0; begun < atOnce; begun++) one();
      });
    }
    return performance.now() - start;
  },

  /** Gives each host a certificate of its own, for its next link. @returns how many */
  async certify({ authority, count }: { authority: string; count: number }): Promise<number> {
    const uuids = Array.from({ length: count }, (_, number) => agents[number]?.uuid ?? crypto.randomUUID());
    const certificates = await hostCertificates(authority, uuids);
    contexts = certificates.map(secureContext);
    return contexts.length;
  },

  /** Resolves when all agents have been told a list since `lists` was asked. */
  async told(): Promise<void> {
    if (told.size < agents.length) await new Promise<void>(resolve => (onAllTold = resolve));
  },

  /** @returns how many lists agents were told since this was asked before */
  lists(): number {
    const count = lists;
    lists = 0;
    told.clear();
    return count;
  },

  /** Of the last agent. */
  sizes(): Sizes | undefined {
    return agents.at(-1)?.sizes;
  },

  collect: collectGarbage,

  /** Ends all links. @param forget the next agents are new hosts, without certificates */
  end({ forget }: { forget: boolean }): void {
    for (const agent of agents) agent.end();
    agents.length = 0;
    if (forget) contexts = [];
  },
};

interface ConnectRequest {
  readonly port: number;
  readonly count: number;
  readonly atOnce: number;
  /** To a plain node:tls server, packets of these sizes; otherwise to a management server. */
  readonly sizes?: Sizes | undefined;
  /** The CA that is trusted. */
  readonly authority: string;
  /** All present one certificate, which names their address. */
  readonly sharesCertificate?: boolean;
}

interface PingRequest {
  readonly times: number;
  readonly atOnce: number;
}

export type LoadOperations = typeof operations;
const agents: LoadAgent[] = [];
let contexts: SecureContext[] = [];
/** Which agents were told a list, and how many lists that were. */
const told = new Set<number>();
let lists = 0;
let onAllTold = () => {};

function noteRequest(agent: number, { body }: RawPacket): void {
  if (!body.bytes.includes('SetupMSListCommand')) return;
  lists++;
  if (told.add(agent).size === agents.length) onAllTold();
}

serveParent(operations);
