import { type Clock, delay } from '../../lib/clock.js';
import type { Attache } from '../agents/attache.js';
import type { AttacheRegistry } from '../agents/attache-registry.js';
import { answersHealth } from '../agents/guid-guard.js';
import type { RemovalNotices } from '../agents/removal-notices.js';
import type { Store } from '../store/store.js';
import { retryWhileAway } from '../store/store-health.js';
import type { JobWork } from './job-runner.js';

interface HostJobParts {
  readonly clock: Clock;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
  readonly registry: Pick<AttacheRegistry, 'get'>;
  readonly notices: Pick<RemovalNotices, 'tell'>;
  readonly store: Pick<Store, 'host' | 'removeHost'>;
}

const BACK_WITHIN_MS = 60_000;
const LOOK_MS = 500;

/** Jobs about one host, which only the server that has it can carry out. */
export function hostJobs({
  clock,
  stopping,
  registry,
  notices,
  store,
}: HostJobParts): Readonly<Record<string, JobWork>> {
  return {
    /** Ends the link, and waits until the host is Ready again, wherever. */
    async reconnectHost({ hostId, params }, progress) {
      const attache = attacheOf(registry, hostId);
      const { epoch } = (await store.host(attache.host.id)) ?? { epoch: 0 };
      attache.end('an operator asked for a reconnect', 'asked');
      await progress('waiting for the agent to come back');
      const deadline = clock.now() + BACK_WITHIN_MS;
      while (clock.now() < deadline) {
        await delay(clock, LOOK_MS, stopping);
        stopping.throwIfAborted();
        const host = await store.host(attache.host.id);
        if (host?.status === 'Up' && host.epoch > epoch) return { hostid: params.id };
      }
      throw new Error(`the agent did not come back within ${BACK_WITHIN_MS / 1000} s`);
    },

    /** Asks the agent whether it is there, for another server at which an agent with the same guid wants to register. */
    async checkHealth({ hostId }) {
      if (!(await answersHealth(clock, attacheOf(registry, hostId)))) throw new Error('the agent did not answer');
      return { result: true };
    },

    /**
     * Removes the host of an agent that is there, and tells the agent. In this order: an agent that was told, and whose
     * host has a row all the same, would stay away for ever. One that could not be told any more comes back as a new host.
     */
    async deleteHost({ hostId, params }) {
      const attache = attacheOf(registry, hostId);
      if (!(await answersHealth(clock, attache))) throw new Error('the agent does not answer');
      await retryWhileAway({ clock, stopping }, () => store.removeHost(attache.host.id, clock.wallTime()));
      const notTold = await notices.tell(attache);
      return { hostid: params.id, ...(notTold !== undefined && { nottold: notTold }) };
    },
  };
}

/** The host's link here. @throws Error: it has none any more */
export function attacheOf(registry: Pick<AttacheRegistry, 'get'>, hostId: number | null): Attache {
  const attache = hostId === null ? undefined : registry.get(hostId);
  if (attache === undefined) throw new Error('the host has no link to this server any more');
  return attache;
}
