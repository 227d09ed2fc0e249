import { answer, command, flag, list, record, text } from './schema.js';

/**
 * The plain answer: to commands without an answer class of their own, and of a server to what it does not know.
 * @example
 * Answer.encode({ result: false, details: 'there is no such volume' });
 */
export const Answer = answer('com.cloud.agent.api.Answer', {});

/** The answer of an agent to a class that it does not know, and to a body that it cannot read. */
export const UnsupportedAnswer = answer('com.cloud.agent.api.UnsupportedAnswer', {});

/** From a server: is the agent alive? */
export const CheckHealthCommand = command('com.cloud.agent.api.CheckHealthCommand', {});
/** `result` is true when the agent's resource works. */
export const CheckHealthAnswer = answer('com.cloud.agent.api.CheckHealthAnswer', {});

/** From a server: the host goes into maintenance. */
export const MaintainCommand = command('com.cloud.agent.api.MaintainCommand', {});
/** `willMigrate`: the host's virtual machines can be moved away. */
export const MaintainAnswer = answer('com.cloud.agent.api.MaintainAnswer', { willMigrate: flag });

/** From a server: parameters of the host, as names and values. */
export const SetHostParamsCommand = command('com.cloud.agent.api.SetHostParamsCommand', { params: record });

/** From a server, after Startup: does the host have these networks? */
export const CheckNetworkCommand = command('com.cloud.agent.api.CheckNetworkCommand', { networkInfoList: list });
/** `result` is true when the host has the networks. `_reconnect`: it connects again. */
export const CheckNetworkAnswer = answer('com.cloud.agent.api.CheckNetworkAnswer', { _reconnect: flag });

/** From an agent or a server: a message of a plug-in. */
export const AgentControlCommand = command('com.cloud.agent.api.AgentControlCommand', {});
/** The plug-in's answer. */
export const AgentControlAnswer = answer('com.cloud.agent.api.AgentControlAnswer', {});

/** From an agent: it stops. From a server: the agent stops, and does not connect again. */
export const ShutdownCommand = command('com.cloud.agent.api.ShutdownCommand', {
  /** CloudStack's agent sends `sig.kill`. */
  reason: text,
  detail: text,
  /** The host is removed: the agent empties zone, pod and cluster in its properties. */
  removeHost: flag,
});
