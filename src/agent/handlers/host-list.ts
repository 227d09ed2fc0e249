import { AddressError, canonicalAddress, HOST_LIST_MAX, readHostList } from '../../lib/address.js';
import { peerText } from '../../lib/text/peer-text.js';
import {
  MigrateAgentConnectionAnswer,
  MigrateAgentConnectionCommand,
  SetupMSListAnswer,
  SetupMSListCommand,
} from '../../protocol/index.js';
import type { HostUpdate } from '../agent-events.js';
import type { Handler } from './handler.js';

interface WireUpdate {
  readonly hosts: readonly string[] | undefined;
  readonly avoid: readonly string[] | undefined;
  readonly algorithm: string | undefined;
  /** seconds */
  readonly checkInterval: number | undefined;
}

/** It is written to the agent's properties, and need not be one that we know. */
const ALGORITHM = /^\w{1,64}$/;

/** What can be used of what a server says about hosts. */
export interface UsableUpdate {
  readonly update: HostUpdate;
  /** What of it is not used, and why. */
  readonly objections: readonly string[];
}

/** Checks what a server says about hosts, before it is written to the agent's properties. An empty list counts as missing. */
export function hostUpdate({ hosts = [], avoid, algorithm, checkInterval }: WireUpdate): UsableUpdate {
  const isAlgorithm = algorithm !== undefined && ALGORITHM.test(algorithm);
  const isInterval = checkInterval !== undefined && checkInterval >= 0;
  const usable = hosts.length === 0 ? { hosts: [], faults: [] } : readHostList(hosts.join(','));
  const objections = usable.faults.map(fault => `the management server list: ${fault}`);
  if (algorithm !== undefined && !isAlgorithm) objections.push(`the algorithm ${JSON.stringify(peerText(algorithm))}`);
  if (checkInterval !== undefined && !isInterval) objections.push(`the check interval ${checkInterval}`);
  return {
    update: {
      hosts: usable.hosts.length > 0 ? usable.hosts : undefined,
      avoid: avoid && readAvoidList(avoid),
      algorithm: isAlgorithm ? algorithm : undefined,
      checkIntervalSeconds: isInterval ? checkInterval : undefined,
    },
    objections,
  };
}

/** The entries of an avoid list in their canonical form. A text that is no address is left out: it matches no host. */
export function readAvoidList(texts: readonly string[]): readonly string[] {
  return texts.slice(0, HOST_LIST_MAX).flatMap(text => {
    try {
      return canonicalAddress(text.trim());
    } catch (error) {
      if (error instanceof AddressError) return [];
      throw error;
    }
  });
}

export const handleSetupMSList: Handler = command => {
  const { msList, avoidMsList, lbAlgorithm, lbCheckInterval, triggerHostLb } = SetupMSListCommand.decode(command);
  const { update, objections } = hostUpdate({
    hosts: msList,
    avoid: avoidMsList,
    algorithm: lbAlgorithm,
    checkInterval: lbCheckInterval,
  });
  const isUsable = update.hosts !== undefined || !msList?.length;
  const answer = SetupMSListAnswer.encode(
    isUsable ? { result: true } : { result: false, details: peerText(objections.join('; ')) },
  );
  return { answer, consequence: { kind: 'update', update, checkNow: triggerHostLb, objections } };
};

export const handleMigrateAgentConnection: Handler = (command, parts) => {
  const { msList, avoidMsList, lbAlgorithm, lbCheckInterval } = MigrateAgentConnectionCommand.decode(command);
  const { update, objections } = hostUpdate({
    hosts: msList,
    avoid: avoidMsList,
    algorithm: lbAlgorithm,
    checkInterval: lbCheckInterval,
  });
  if (!parts.canMigrate(update)) {
    const details = 'Migrate agent connection failed, due to no other management server that is not avoided';
    const answer = MigrateAgentConnectionAnswer.encode({ result: false, details });
    return { answer, consequence: { kind: 'update', update, checkNow: false, objections } };
  }
  const answer = MigrateAgentConnectionAnswer.encode({ result: true });
  return { answer, consequence: { kind: 'migrate', update, objections } };
};
