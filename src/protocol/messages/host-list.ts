import { answer, command, flag, optionalInteger, text, textList } from './schema.js';

/** A new host list for a connected agent. */
export const SetupMSListCommand = command('org.apache.cloudstack.agent.lb.SetupMSListCommand', {
  msList: textList,
  avoidMsList: textList,
  lbAlgorithm: text,
  /** seconds */
  lbCheckInterval: optionalInteger,
  /** Check the preferred host now. Always written: the Java agent fails without it. */
  triggerHostLb: flag,
});

export const SetupMSListAnswer = answer('org.apache.cloudstack.agent.lb.SetupMSListAnswer', {});

/** Asks an agent to move to another server of the list. Not in 4.13. */
export const MigrateAgentConnectionCommand = command('com.cloud.agent.api.MigrateAgentConnectionCommand', {
  msList: textList,
  /** Never left out: the Java agent fails without it. */
  avoidMsList: textList,
  lbAlgorithm: text,
  /** seconds */
  lbCheckInterval: optionalInteger,
});

export const MigrateAgentConnectionAnswer = answer('com.cloud.agent.api.MigrateAgentConnectionAnswer', {});
