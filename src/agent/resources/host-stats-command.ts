import { type Clock, systemClock } from '../../lib/clock.js';
import { GetHostStatsAnswer, GetHostStatsCommand, type Message } from '../../protocol/index.js';
import { HostStats, type HostStatsSources, systemSources } from './host-stats.js';

/** Answers GetHostStatsCommand with how much of a machine is in use. */
export function hostStatsCommand(
  clock: Clock = systemClock,
  sources: HostStatsSources = systemSources(),
): { handle(command: Message): Promise<Message> } {
  const stats = new HostStats(sources, clock);
  return {
    async handle(command) {
      const { hostId } = GetHostStatsCommand.decode(command);
      const hostStats = { hostId, entityType: 'host', ...(await stats.read()) };
      return GetHostStatsAnswer.encode({ result: true, hostStats });
    },
  };
}
