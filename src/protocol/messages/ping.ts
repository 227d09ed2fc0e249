import { answer, command, flag, integer, list, optionalInteger, record, text, textList } from './schema.js';

export const PingCommand = command('com.cloud.agent.api.PingCommand', {
  hostType: text,
  hostId: integer,
  outOfBand: flag,
  commandInfos: list,
});

/** What hypervisor agents send. */
export const PingRoutingCommand = command('com.cloud.agent.api.PingRoutingCommand', {
  _hostVmStateReport: record,
  _gatewayAccessible: flag,
  _vnetAccessible: flag,
  hostType: text,
  hostId: integer,
  outOfBand: flag,
  commandInfos: list,
  /** Muster's own: how long the last ping's answer took, in milliseconds. */
  roundTripMs: optionalInteger,
});

export const PingAnswer = answer('com.cloud.agent.api.PingAnswer', {
  /** The whole ping, given back: a real KVM agent fails without it. */
  _command: record,
  /** The server has lost the host's row: register anew. */
  sendStartup: flag,
  avoidMsList: textList,
  reconcileCommands: list,
});
