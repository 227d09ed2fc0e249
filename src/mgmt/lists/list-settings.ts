import { parseReportedList } from '../../protocol/host-list.js';
import type { ParameterValues } from '../config/parameters.js';
import type { HostRow } from '../store/store.js';
import type { ListedAgent, ListSettings } from './preview.js';

/**
 * The part of a configuration that host lists follow from.
 * @param version the generation of the configuration; of a proposal, the generation that it would get
 */
export function listSettingsOf(values: ParameterValues, version: number): ListSettings {
  return {
    algorithm: values['indirect.agent.lb.algorithm'],
    servers: values.host,
    weights: values['indirect.agent.lb.weights'],
    seed: String(version),
  };
}

/** The part of a host's row that its list follows from. */
export function listedAgent({ id, zoneId, preferred, msHostList }: HostRow, { algorithm }: ListSettings): ListedAgent {
  const reported = parseReportedList(msHostList ?? undefined).hosts[0];
  return { hostId: id, zoneId, preferred: algorithm === 'rendezvous' ? (preferred ?? reported) : reported };
}
