import { ProtocolError, ReadyAnswer, ReadyCommand } from '../../protocol/index.js';
import type { HostUpdate } from '../agent-events.js';
import type { Handler } from './handler.js';
import { hostUpdate } from './host-list.js';

export const handleReady: Handler = command => {
  const ready = ReadyCommand.decode(command);
  const answer = ReadyAnswer.encode({ detailsMap: {}, result: true });
  if (ready._details !== undefined) return { answer, consequence: { kind: 'refused', why: ready._details } };
  // CloudStack sends a Ready without an id to an agent whose host it has not created yet.
  if (ready.hostId === undefined || ready.hostId <= 0) return { answer };
  const identity = { hostId: ready.hostId, hostUuid: ready.hostUuid, hostName: ready.hostName };
  return { answer, consequence: { kind: 'ready', identity, ...usableUpdate(ready) } };
};

/** A list that cannot be used is no reason to leave the server: the agent goes on with its own list. */
function usableUpdate(ready: ReturnType<typeof ReadyCommand.decode>): { update: HostUpdate; objection?: string } {
  try {
    const update = hostUpdate({
      hosts: ready.msHostList,
      avoid: ready.avoidMsHostList,
      algorithm: ready.lbAlgorithm,
      checkInterval: ready.lbCheckInterval,
    });
    return { update };
  } catch (error) {
    if (error instanceof ProtocolError) return { update: {}, objection: error.message };
    throw error;
  }
}
