import { AddressError, canonicalAddress, parseHostList } from '../../lib/address.js';
import {
  MigrateAgentConnectionAnswer,
  MigrateAgentConnectionCommand,
  ProtocolError,
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

/**
 * Checks what a server says about hosts, before it is written to the agent's properties. An empty list counts as
 * missing.
 * @throws ProtocolError MESSAGE_FIELD
 */
export function hostUpdate({ hosts, avoid, algorithm, checkInterval }: WireUpdate): HostUpdate {
  if (algorithm !== undefined && !/^\w+$/.test(algorithm)) throw badField(`the algorithm ${JSON.stringify(algorithm)}`);
  if (checkInterval !== undefined && checkInterval < 0) throw badField(`the check interval ${checkInterval}`);
  return {
    hosts: hosts && hosts.length > 0 ? checkedHosts(hosts) : undefined,
    avoid: avoid?.map(spelledAsListed),
    algorithm,
    checkIntervalSeconds: checkInterval,
  };
}

function checkedHosts(hosts: readonly string[]): readonly string[] {
  try {
    return parseHostList(hosts.join(','));
  } catch (error) {
    if (error instanceof AddressError) throw badField(`the management server list (${error.message})`);
    throw error;
  }
}

/** The canonical form of an entry of an avoid list. A text that is no address stays as it is: it matches no host. */
export function spelledAsListed(text: string): string {
  try {
    return canonicalAddress(text.trim());
  } catch (error) {
    if (error instanceof AddressError) return text;
    throw error;
  }
}

function badField(what: string): ProtocolError {
  return new ProtocolError('MESSAGE_FIELD', `cannot use ${what}`);
}

export const handleSetupMSList: Handler = command => {
  const { msList, avoidMsList, lbAlgorithm, lbCheckInterval, triggerHostLb } = SetupMSListCommand.decode(command);
  const update = hostUpdate({
    hosts: msList,
    avoid: avoidMsList,
    algorithm: lbAlgorithm,
    checkInterval: lbCheckInterval,
  });
  return {
    answer: SetupMSListAnswer.encode({ result: true }),
    consequence: { kind: 'update', update, checkNow: triggerHostLb },
  };
};

export const handleMigrateAgentConnection: Handler = (command, context) => {
  const { msList, avoidMsList, lbAlgorithm, lbCheckInterval } = MigrateAgentConnectionCommand.decode(command);
  const update = hostUpdate({
    hosts: msList,
    avoid: avoidMsList,
    algorithm: lbAlgorithm,
    checkInterval: lbCheckInterval,
  });
  if (!context.canMigrate(update)) {
    const details = 'Migrate agent connection failed, due to no other management server that is not avoided';
    const answer = MigrateAgentConnectionAnswer.encode({ result: false, details });
    return { answer, consequence: { kind: 'update', update, checkNow: false } };
  }
  return { answer: MigrateAgentConnectionAnswer.encode({ result: true }), consequence: { kind: 'migrate', update } };
};
