import { inPing, inPingAnswer } from './muster.js';
import { answer, command, flag, integer, list, rawRecord, record, text, textList } from './schema.js';

/** From an agent: it is alive. */
export const PingCommand = command('com.cloud.agent.api.PingCommand', {
  hostType: text,
  hostId: integer,
  outOfBand: flag,
  commandInfos: list,
});

/** From an agent on a hypervisor: it is alive. */
export const PingRoutingCommand = command('com.cloud.agent.api.PingRoutingCommand', {
  _hostVmStateReport: record,
  _gatewayAccessible: flag,
  _vnetAccessible: flag,
  hostType: text,
  hostId: integer,
  outOfBand: flag,
  commandInfos: list,
  muster: inPing,
});

/** The answer of a server to both kinds of ping. */
export const PingAnswer = answer('com.cloud.agent.api.PingAnswer', {
  /** The whole ping. CloudStack's KVM agent fails without it. */
  _command: rawRecord,
  /** The server does not know the host any more: the agent registers anew. */
  sendStartup: flag,
  /** Addresses not to dial; missing when nothing has changed. */
  avoidMsList: textList,
  reconcileCommands: list,
  muster: inPingAnswer,
});
