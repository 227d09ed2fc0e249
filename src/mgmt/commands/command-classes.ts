import { nearestKey } from '../../lib/text/nearest-key.js';
import { DoctorCommand } from '../../protocol/index.js';
import type { CommandClass } from '../metrics/server-metrics.js';

/** Classes that may be named without their package, with their labels of metrics. Agents may know others: those are named in full. */
const KNOWN: ReadonlyMap<string, CommandClass> = new Map([
  ['com.cloud.agent.api.GetHostStatsCommand', 'GetHostStatsCommand'],
  ['com.cloud.agent.api.CheckHealthCommand', 'CheckHealthCommand'],
  ['com.cloud.agent.api.CheckNetworkCommand', 'CheckNetworkCommand'],
  ['com.cloud.agent.api.MaintainCommand', 'MaintainCommand'],
  ['com.cloud.agent.api.AgentControlCommand', 'AgentControlCommand'],
  ['com.cloud.agent.api.SetHostParamsCommand', 'SetHostParamsCommand'],
  [DoctorCommand.type, 'DoctorCommand'],
]);

/** What is about the link itself, or about trust: only the servers say it, in the conversation that it belongs to. */
const NEVER =
  /^(Startup\w*|Ready|Shutdown|SetupMSList|MigrateAgentConnection|SetupKeyStore|SetupCertificate|Cancel|ConfirmAnswers|KeptAnswers|ServerLink|LookAtJobs|AgentConnectStatus|Ping\w*)Command$/;

const FULL_NAME = /^[A-Za-z_]\w*(\.[A-Za-z_][\w$]*)+$/;
const MOST_LENGTH = 255;

/**
 * The full name of a command's class.
 * @param name in full, or of a class that is known here
 * @returns the full name; or why it cannot be sent
 */
export function commandClass(name: string): { readonly type: string } | { readonly refusal: string } {
  const type = name.includes('.') ? name : [...KNOWN.keys()].find(known => known.endsWith(`.${name}`));
  if (NEVER.test(simpleName(name))) {
    return { refusal: 'it is about the link of the agent, or about trust: only the servers send it' };
  }
  if (type === undefined) {
    const short = [...KNOWN.values()];
    const near = nearestKey(name, short);
    const meant = near === undefined ? '' : `is ${near} meant? `;
    return { refusal: `${meant}only these may be named without their package: ${short.join(', ')}` };
  }
  if (type.length > MOST_LENGTH || !FULL_NAME.test(type)) return { refusal: 'it is no name of a class' };
  return { type };
}

/** The class of a command as a label of metrics: whatever callers name, there are few of them. */
export function classLabel(type: string): CommandClass {
  return KNOWN.get(type) ?? 'other';
}

/** Without its package. */
export function simpleName(type: string): string {
  return type.slice(type.lastIndexOf('.') + 1);
}
