import { answer, command, flag, optionalInteger, text, textList } from './schema.js';

/** From a server: a new host list for a connected agent. */
export const SetupMSListCommand = command('org.apache.cloudstack.agent.lb.SetupMSListCommand', {
  msList: textList,
  avoidMsList: textList,
  lbAlgorithm: text,
  /** Seconds between checks of the preferred host; 0 turns them off. */
  lbCheckInterval: optionalInteger,
  /** The agent checks its preferred host now. Always written: CloudStack's agent fails without it. */
  triggerHostLb: flag,
});

/** `result` is false when the agent cannot use the list. */
export const SetupMSListAnswer = answer('org.apache.cloudstack.agent.lb.SetupMSListAnswer', {});

/** From a server: move to another server of the list. CloudStack 4.13 does not have it. */
export const MigrateAgentConnectionCommand = command('com.cloud.agent.api.MigrateAgentConnectionCommand', {
  msList: textList,
  /** Addresses not to dial. Always written: CloudStack's agent fails without it. */
  avoidMsList: textList,
  lbAlgorithm: text,
  /** Seconds between checks of the preferred host; 0 turns them off. */
  lbCheckInterval: optionalInteger,
});

/** `result` is false when the agent has no other server to move to. */
export const MigrateAgentConnectionAnswer = answer('com.cloud.agent.api.MigrateAgentConnectionAnswer', {});
