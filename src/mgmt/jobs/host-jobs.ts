import { type Clock, delay } from '../../lib/clock.js';
import { DoctorCommand } from '../../protocol/index.js';
import type { Attache } from '../agents/attache.js';
import type { AttacheRegistry } from '../agents/attache-registry.js';
import { answersHealth } from '../agents/guid-guard.js';
import type { RemovalNotices } from '../agents/removal-notices.js';
import { diagnosisOf } from '../commands/diagnosis.js';
import type { Sender } from '../commands/sender.js';
import type { AgentLists } from '../lists/agent-lists.js';
import type { Propagation } from '../lists/propagation.js';
import type { HostRow, Store } from '../store/store.js';
import { retryWhileAway } from '../store/store-health.js';
import type { JobWork } from './job-runner.js';
import { askToMigrate } from './move-agents.js';

interface HostJobParts {
  readonly clock: Clock;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
  readonly registry: Pick<AttacheRegistry, 'get'>;
  readonly notices: Pick<RemovalNotices, 'tell'>;
  readonly lists: Pick<AgentLists, 'listFor'>;
  readonly propagation: Pick<Propagation<Attache>, 'check'>;
  readonly sender: Pick<Sender, 'send'>;
  readonly store: Pick<Store, 'host' | 'removeHost'>;
}

const BACK_WITHIN_MS = 60_000;
const THERE_WITHIN_MS = 60_000;
/** To find the agent, which may be on its way, and to have its answer. */
const DIAGNOSIS_SECONDS = 60;
const LOOK_MS = 500;

/** Jobs about one host. But for `diagnoseHost`, only the server that has it can carry them out. */
export function hostJobs({
  clock,
  stopping,
  registry,
  notices,
  lists,
  propagation,
  sender,
  store,
}: HostJobParts): Readonly<Record<string, JobWork>> {
  /** Whether the host of an agent is Up within a time, and this holds of it. @throws the reason of `stopping` */
  async function becomes({ host }: Attache, holds: (row: HostRow) => boolean, limitMs: number): Promise<boolean> {
    const deadline = clock.now() + limitMs;
    while (clock.now() < deadline) {
      await delay(clock, LOOK_MS, stopping);
      stopping.throwIfAborted();
      const row = await store.host(host.id);
      if (row?.status === 'Up' && holds(row)) return true;
    }
    return false;
  }

  return {
    /** Ends the link, and waits until the host is Ready again, wherever. */
    async reconnectHost({ hostId, params }, progress) {
      const attache = attacheOf(registry, hostId);
      const { epoch } = (await store.host(attache.host.id)) ?? { epoch: 0 };
      attache.end('an operator asked for a reconnect', 'asked');
      await progress('waiting for the agent to come back');
      if (await becomes(attache, host => host.epoch > epoch, BACK_WITHIN_MS)) return { hostid: params.id };
      throw new Error(`the agent did not come back within ${BACK_WITHIN_MS / 1000} s`);
    },

    /** Tells the agent to go to one server, and waits until it is Ready there. */
    async migrateHost({ hostId, params }, progress) {
      const attache = attacheOf(registry, hostId);
      const list = lists.listFor(attache.host, { held: attache.held });
      if (!list.hosts.some(address => address === params.address)) {
        throw new Error(`${params.address} is not in the list of this host`);
      }
      // Its list stays as it is: the avoid list is advice for now.
      const avoid = list.hosts.filter(address => address !== params.address);
      const no = await askToMigrate(attache, { ...list, avoid });
      if (no !== undefined) throw new Error(`the agent says: ${no}`);
      await progress(`waiting for the agent at ${params.address}`);
      if (await becomes(attache, host => host.msid === params.msid, THERE_WITHIN_MS)) return { hostid: params.id };
      // One that has stayed is told again whom to avoid.
      propagation.check(attache);
      throw new Error(`the agent was not Ready at ${params.address} within ${THERE_WITHIN_MS / 1000} s`);
    },

    /** Whichever server has the host. */
    async diagnoseHost({ hostId, params }) {
      const host = hostId === null ? undefined : await store.host(hostId);
      if (host === undefined) throw new Error('there is no such host any more');
      const command = DoctorCommand.encode(typeof params.hosts === 'string' ? { hosts: params.hosts.split(',') } : {});
      const outcome = await sender.send(host.id, [command], { wait: DIAGNOSIS_SECONDS, signal: stopping });
      const diagnosis = diagnosisOf(outcome);
      if ('none' in diagnosis) throw new Error(diagnosis.none);
      return { diagnosis: { hostid: host.uuid, hostname: host.name, ...diagnosis } };
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
