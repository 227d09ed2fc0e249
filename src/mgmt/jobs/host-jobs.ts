import { type Clock, delay } from '../../lib/clock.js';
import { ShutdownCommand } from '../../protocol/index.js';
import type { Attache } from '../agents/attache.js';
import type { AttacheRegistry } from '../agents/attache-registry.js';
import type { Store } from '../store/store.js';
import type { JobWork } from './job-runner.js';

interface HostJobParts {
  readonly clock: Clock;
  readonly registry: Pick<AttacheRegistry, 'get'>;
  readonly store: Pick<Store, 'host'>;
}

const BACK_WITHIN_MS = 60_000;
const LOOK_MS = 500;

/** Jobs about one host, which only the server that has it can carry out. */
export function hostJobs({ clock, registry, store }: HostJobParts): Readonly<Record<string, JobWork>> {
  return {
    /** Ends the link, and waits until the host is Ready again, wherever. */
    async reconnectHost({ hostId, params }, progress) {
      const attache = attacheOf(registry, hostId);
      const { epoch } = (await store.host(attache.host.id)) ?? { epoch: 0 };
      attache.link.close('an operator asked for a reconnect');
      await progress('waiting for the agent to come back');
      const deadline = clock.now() + BACK_WITHIN_MS;
      while (clock.now() < deadline) {
        await delay(clock, LOOK_MS);
        const host = await store.host(attache.host.id);
        if (host?.status === 'Up' && host.epoch > epoch) return { hostid: params.id };
      }
      throw new Error(`the agent did not come back within ${BACK_WITHIN_MS / 1000} s`);
    },

    /** Tells the agent that its host is removed: it blanks its zone, and does not come back. */
    async deleteHost({ hostId, params }) {
      const attache = attacheOf(registry, hostId);
      const command = ShutdownCommand.encode({ reason: 'deleteHost', removeHost: true, wait: 30 });
      const { messages } = await attache.ask([command], { inSequence: true });
      if (messages[0]?.fields.result !== true) throw new Error('the agent refused to shut down');
      attache.link.close('the host was removed');
      return { hostid: params.id };
    },
  };
}

function attacheOf(registry: Pick<AttacheRegistry, 'get'>, hostId: number | null): Attache {
  const attache = hostId === null ? undefined : registry.get(hostId);
  if (attache === undefined) throw new Error('the host has no link to this server any more');
  return attache;
}
