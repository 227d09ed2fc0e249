import { peerText } from '../../lib/text/peer-text.js';
import { LIMITS, ReadyAnswer, ReadyCommand } from '../../protocol/index.js';
import type { Arrival } from '../agent-state.js';
import type { Handler, HostIdentity } from './handler.js';
import { hostUpdate } from './host-list.js';

export const handleReady: Handler = (command, { arrival }) => {
  const ready = ReadyCommand.decode(command);
  const answer = ReadyAnswer.encode({ detailsMap: {}, result: true, muster: ready.muster && toldOf(arrival()) });
  if (ready._details !== undefined) return { answer, consequence: { kind: 'refused', why: ready._details } };
  // CloudStack sends a Ready without an id to an agent whose host it has not created yet.
  if (ready.hostId === undefined || ready.hostId <= 0) return { answer };
  const identity = identityOf(ready.hostId, ready.hostUuid, ready.hostName);
  const { update, objections } = hostUpdate({
    hosts: ready.msHostList,
    avoid: ready.avoidMsHostList,
    algorithm: ready.lbAlgorithm,
    checkInterval: ready.lbCheckInterval,
  });
  const capabilities = ready.muster?.capabilities ?? [];
  const packetMaxBytes = packetMaxOf(ready.muster);
  const told = { ...update, spreadMs: boundedSpread(ready.muster?.spreadMs ?? 0) };
  return { answer, consequence: { kind: 'ready', identity, packetMaxBytes, capabilities, update: told, objections } };
};

/** Bounded, as is all that a server says. */
export function boundedSpread(ms: number): number {
  return Math.min(Math.max(ms, 0), LIMITS.spreadAtMostMs);
}

/** For servers of Muster alone. */
function toldOf(arrival: Arrival | undefined) {
  return arrival && { moveKind: arrival.kind, moveCause: arrival.cause, gapMs: arrival.gapMs };
}

/** Bounded: a server may say anything. */
function packetMaxOf(muster: ReturnType<typeof ReadyCommand.decode>['muster']): number | undefined {
  const bytes = muster?.packetMax;
  if (bytes === undefined) return undefined;
  return Math.min(Math.max(bytes, LIMITS.packetBytesBeforeReady), LIMITS.packetBytesAtMost);
}

/** What a server says who this host is. It goes to the properties file. */
export function identityOf(hostId: number, hostUuid?: string, hostName?: string): HostIdentity {
  return { hostId, hostUuid: hostUuid && peerText(hostUuid), hostName: hostName && peerText(hostName) };
}
