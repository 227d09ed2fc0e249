import { ALGORITHM_NAMES } from '../config/parameters.js';
import { drain } from './drain.js';
import type { JobWork } from './job-runner.js';
import { rebalance } from './rebalance.js';
import { leftFields, refreshServers, type ServerJobParts } from './server-job-parts.js';

/** Jobs about this server itself, which operators ask for through whichever server they reach. */
export function serverJobs(parts: ServerJobParts): Readonly<Record<string, JobWork>> {
  return {
    drain: ({ params }, progress) =>
      drain(
        parts,
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

    async shutdown() {
      await refreshServers(parts);
      // The process that was to end has ended, and this is the next one.
      if (parts.membership.state !== 'ShuttingDown') return { cancelled: true };
      parts.onShutdown();
      return { shuttingdown: true };
    },
  };
}
