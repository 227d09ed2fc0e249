import type { Clock } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import type { Loss, Store } from '../store/store.js';
import type { ObservedServer } from './observed-servers.js';
import { stepOnSilence, TRANSITIONS } from './server-state.js';

export interface DeadServersParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly msid: number;
  readonly address: string;
  onServerDown(server: ObservedServer): void;
  onSharedAddress(server: ObservedServer): void;
}

type DeadServersStore = Pick<
  Store,
  'changeServerState' | 'retireServer' | 'releaseHosts' | 'failJobsOfServer' | 'releaseJobsOfServer'
>;

/** What hosts and jobs of a server that does not run any more end with. */
const LOSS: Loss = { reason: 'its management server is down', cause: 'server-down' };
export const JOBS_OF_DEAD_SERVER = {
  resultCode: 530,
  result: JSON.stringify({ errorcode: 530, errortext: 'the management server was stopped or restarted' }),
};

/** A dead server that was found clean is looked at again after this: a late write may have come in. */
const AGAIN_MS = 60_000;

/**
 * What must hold of servers that do not run: they are Down or in Maintenance, have no hosts, carry out no jobs, and none
 * of them has the address of a living one. Jobs that others can go on with do not wait that long: a silent server has none. Each server checks it at each heartbeat, whatever caused it and whichever
 * process was killed meanwhile.
 */
export class DeadServers {
  readonly #store: DeadServersStore;
  readonly #parts: DeadServersParts;
  /** When a dead server was last found clean, by msid. Only spares reading; what must hold is in the store. */
  readonly #cleanAt = new Map<number, number>();
  readonly #sharing = new Set<number>();

  constructor(store: DeadServersStore, parts: DeadServersParts) {
    this.#store = store;
    this.#parts = parts;
  }

  /** One pass. What fails is tried again by the next one. */
  async cleanUp(servers: readonly ObservedServer[]): Promise<void> {
    const { msid, log } = this.#parts;
    for (const server of servers) {
      if (server.msid === msid) continue;
      try {
        if (server.isDead) await this.#bringToRest(server);
        else await this.#checkLiving(server);
      } catch (error) {
        log.debug('A dead server could not be cleaned up yet', { address: server.serviceIp, reason: reasonOf(error) });
      }
    }
  }

  async #checkLiving(server: ObservedServer): Promise<void> {
    this.#cleanAt.delete(server.msid);
    if (server.serviceIp !== this.#parts.address) this.#sharing.delete(server.msid);
    else if (!this.#sharing.has(server.msid)) {
      this.#sharing.add(server.msid);
      this.#parts.onSharedAddress(server);
    }
    // It may live all the same: what it does about them from now on, the store refuses.
    if (server.isSilent) await this.#store.releaseJobsOfServer(server.msid, server.beat);
  }

  async #bringToRest(server: ObservedServer): Promise<void> {
    const { clock, address } = this.#parts;
    if (server.runId !== null && server.state !== 'Down') await this.#takeDown(server);
    const cleanAt = this.#cleanAt.get(server.msid);
    if (cleanAt === undefined || clock.now() - cleanAt >= AGAIN_MS) {
      await this.#store.releaseHosts(server.msid, { at: clock.wallTime(), ...LOSS });
      await this.#store.failJobsOfServer(server.msid, JOBS_OF_DEAD_SERVER);
      this.#cleanAt.set(server.msid, clock.now());
    }
    // A server that came back with another data.dir has a row of its own.
    if (server.serviceIp === address) await this.#store.retireServer(server.msid, server.beat);
  }

  async #takeDown(server: ObservedServer): Promise<void> {
    const step = stepOnSilence(server.state);
    if (step === undefined) return;
    const done = await this.#store.changeServerState(server.msid, { ...TRANSITIONS[step], beat: server.beat });
    if (!done) return;
    this.#parts.log.error('A management server is down', {
      server: server.name,
      address: server.serviceIp,
      silentMs: server.silentMs,
    });
    this.#parts.onServerDown(server);
  }
}
