import { parseReportedList } from '../../protocol/host-list.js';
import type { Configuration } from '../config/parameters.js';
import { type AgentRow, assignmentOf } from '../store/store.js';
import type { ListedAgent, ListSettings } from './preview.js';

/** The part of a configuration that host lists follow from. */
export function listSettingsOf({ version, values }: Configuration): ListSettings {
  return {
    algorithm: values['indirect.agent.lb.algorithm'],
    servers: values.host,
    weights: values['indirect.agent.lb.weights'],
    seed: String(version),
  };
}

/** The part of a host's row that its list follows from. */
export function listedAgent(row: AgentRow, { values, assignmentGeneration }: Configuration): ListedAgent {
  const reported = parseReportedList(row.msHostList ?? undefined).hosts[0];
  const isAssigned = values['indirect.agent.lb.algorithm'] === 'rendezvous';
  const assigned = isAssigned ? assignmentOf(row, assignmentGeneration) : null;
  return { hostId: row.id, zoneId: row.zoneId, preferred: assigned ?? reported };
}
