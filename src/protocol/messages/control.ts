import { answer, command, flag, list, record, text } from './schema.js';

/** A plain reply: of the server to what it does not know, and to commands without an answer class of their own. */
export const Answer = answer('com.cloud.agent.api.Answer', {});

/** An agent's reply to a class that it does not know. */
export const UnsupportedAnswer = answer('com.cloud.agent.api.UnsupportedAnswer', {});

export const CheckHealthCommand = command('com.cloud.agent.api.CheckHealthCommand', {});
export const CheckHealthAnswer = answer('com.cloud.agent.api.CheckHealthAnswer', {});

export const MaintainCommand = command('com.cloud.agent.api.MaintainCommand', {});
export const MaintainAnswer = answer('com.cloud.agent.api.MaintainAnswer', { willMigrate: flag });

export const SetHostParamsCommand = command('com.cloud.agent.api.SetHostParamsCommand', { params: record });

export const CheckNetworkCommand = command('com.cloud.agent.api.CheckNetworkCommand', { networkInfoList: list });
export const CheckNetworkAnswer = answer('com.cloud.agent.api.CheckNetworkAnswer', { _reconnect: flag });

export const AgentControlCommand = command('com.cloud.agent.api.AgentControlCommand', {});
export const AgentControlAnswer = answer('com.cloud.agent.api.AgentControlAnswer', {});

/** From an agent: it goes. From a server: go, and do not come back. */
export const ShutdownCommand = command('com.cloud.agent.api.ShutdownCommand', {
  reason: text,
  detail: text,
  /** The host is deleted: zone, pod and cluster are blanked on the agent. */
  removeHost: flag,
});
