import { ALGORITHM_NAMES } from '../config/parameters.js';
import { drain } from './drain.js';
import type { JobWork } from './job-runner.js';
import { rebalance } from './rebalance.js';
import { leftFields, refreshServers, type ServerJobParts } from './server-job-parts.js';

/** Jobs about this server itself, which operators ask for through whichever server they reach. */
export function serverJobs(parts: ServerJobParts): Readonly<Record<string, JobWork>> {
  return {
    drain: ({ params, events }, progress) =>
      drain(
        { ...parts, events },
        {
          purpose: params.purpose === 'shutdown' ? 'shutdown' : 'maintenance',
          algorithm: ALGORITHM_NAMES.find(name => name === params.algorithm),
          forced: params.forced === true,
        },
        progress,
      ),

    /** All agents, or those of one server that is back. */
    async rebalance({ params }, progress) {
      const target = typeof params.address === 'string' ? params.address : undefined;
      const { moved, left } = await rebalance(parts, target, progress);
      parts.log.info('Rebalanced', { moved, left: left.length });
      return { moved, ...leftFields(left) };
    },

    /** The state itself ends the process (own-state.ts); the job tells whether this process is still the one. */
    async shutdown() {
      await refreshServers(parts);
      return parts.membership.state === 'ShuttingDown' ? { shuttingdown: true } : { cancelled: true };
    },
  };
}
