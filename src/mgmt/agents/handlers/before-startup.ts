import { AgentConnectStatusAnswer, AgentConnectStatusCommand, Answer, type Message } from '../../../protocol/index.js';

/**
 * Answers a request that comes before Startup: agents of a coming CloudStack version ask first whether they may register,
 * and understand no plain answer to it. All else is answered as unknown.
 * @param statusOf the status of the host with this guid, as far as it is known
 */
export function answersBeforeStartup(
  commands: readonly Message[],
  statusOf: (guid: string) => string | undefined,
): readonly Message[] {
  return commands.map(command => {
    if (!AgentConnectStatusCommand.is(command)) return Answer.encode({ result: true });
    const { guid } = command.fields;
    const hostStatus = typeof guid === 'string' ? statusOf(guid) : undefined;
    return AgentConnectStatusAnswer.encode({ lockAvailable: true, hostStatus, result: true });
  });
}
