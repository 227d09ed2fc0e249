import { byLabel, single } from '../../metrics/meters.js';
import { type AgentState, readyLink } from '../agent-state.js';
import { AGENT_PHASES, type AgentReadings } from './agent-metrics.js';

/**
 * What the gauges of an agent show. Pure.
 * @param certificateEnds milliseconds since 1970; undefined: the agent has no certificate
 */
export function agentReadings(state: AgentState, certificateEnds: number | undefined): AgentReadings {
  const { phase, list, avoid } = state;
  const link = readyLink(state);
  return {
    ready: single(link === undefined ? 0 : 1),
    preferred: single(link !== undefined && link.host === list.hosts[0] ? 1 : 0),
    phase: byLabel('phase', AGENT_PHASES, one => (one === phase.kind ? 1 : 0)),
    listHosts: single(list.hosts.length),
    avoided: single(avoid.length),
    certificateEnds: single(certificateEnds === undefined ? undefined : certificateEnds / 1_000),
  };
}
