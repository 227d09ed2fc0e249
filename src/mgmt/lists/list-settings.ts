import { parseReportedList } from '../../protocol/host-list.js';
import { type Configuration, valuesFor } from '../config/parameters.js';
import { type AgentRow, assignmentOf } from '../store/store.js';
import type { ListedAgent, ListSettings } from './preview.js';

/** The part of a configuration that host lists follow from. */
export function listSettingsOf({ version, values }: Pick<Configuration, 'version' | 'values'>): ListSettings {
  return {
    algorithm: values['indirect.agent.lb.algorithm'],
    servers: values.host,
    weights: values['indirect.agent.lb.weights'],
    seed: String(version),
  };
}

/** The part of a host's row that its list follows from. */
export function listedAgent(row: AgentRow, configuration: Configuration): ListedAgent {
  const { canary, assignmentGeneration } = configuration;
  const reported = parseReportedList(row.msHostList ?? undefined).hosts[0];
  const isAssigned = valuesFor(configuration, row.id)['indirect.agent.lb.algorithm'] === 'rendezvous';
  const own = canary?.hosts.get(row.id);
  const assigned = isAssigned ? (own ?? assignmentOf(row, assignmentGeneration)) : null;
  return { hostId: row.id, zoneId: row.zoneId, preferred: assigned ?? reported };
}
