import { reasonOf } from '../../lib/errors.js';
import {
  AgentControlCommand,
  CheckHealthCommand,
  CheckNetworkCommand,
  ConfirmAnswersCommand,
  DoctorCommand,
  FLAG,
  LIMITS,
  MaintainCommand,
  type Message,
  MigrateAgentConnectionCommand,
  type Packet,
  ReadyCommand,
  SetHostParamsCommand,
  SetupCertificateCommand,
  SetupKeyStoreCommand,
  SetupMSListCommand,
  ShutdownCommand,
} from '../../protocol/index.js';
import { failed, handleByResource } from './by-resource.js';
import { handleSetupCertificate, handleSetupKeyStore } from './certificates.js';
import {
  handleAgentControl,
  handleCheckHealth,
  handleCheckNetwork,
  handleConfirmAnswers,
  handleMaintain,
  handleSetHostParams,
  handleShutdown,
} from './control.js';
import { handleDoctor } from './doctor.js';
import type { Consequence, Handler, HandlerParts, Outcome } from './handler.js';
import { handleMigrateAgentConnection, handleSetupMSList } from './host-list.js';
import { handleReady } from './ready.js';

/** Commands about the agent's links. They mean something on the link that they come on, and have no id. */
const OF_LINKS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  [ReadyCommand.type, handleReady],
  [SetupMSListCommand.type, handleSetupMSList],
  [MigrateAgentConnectionCommand.type, handleMigrateAgentConnection],
  [SetupKeyStoreCommand.type, ofAgent(handleSetupKeyStore)],
  [SetupCertificateCommand.type, ofAgent(handleSetupCertificate)],
  [ShutdownCommand.type, handleShutdown],
  [ConfirmAnswersCommand.type, handleConfirmAnswers],
]);

/** Commands about the agent. All others go to the resource. */
const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ...OF_LINKS,
  [CheckHealthCommand.type, handleCheckHealth],
  [MaintainCommand.type, handleMaintain],
  [SetHostParamsCommand.type, handleSetHostParams],
  [CheckNetworkCommand.type, handleCheckNetwork],
  [AgentControlCommand.type, handleAgentControl],
  [DoctorCommand.type, handleDoctor],
]);

/** With `handleByAgent` false, CloudStack's servers mean a system VM of this host, which is the resource's. */
function ofAgent(handle: Handler): Handler {
  return (command, parts) =>
    command.fields.handleByAgent === false ? handleByResource(command, parts) : handle(command, parts);
}

/** Whether a packet has a command about the agent's links. */
export function isAboutLinks({ messages }: Packet): boolean {
  return messages.some(({ type }) => OF_LINKS.has(type));
}

const STOPPED = 'Stopped by previous failure';

/** Carries out the commands of a packet, one after another. It never rejects: a failure is answered result=false. */
export async function handleRequest(
  request: Packet,
  parts: HandlerParts,
): Promise<{ answers: Message[]; consequences: Consequence[] }> {
  const answers: Message[] = [];
  const consequences: Consequence[] = [];
  let isStopped = false;
  for (const command of request.messages) {
    if (isStopped) {
      answers.push(failed(STOPPED));
      continue;
    }
    const { answer, consequence } = await handleCommand(command, parts);
    answers.push(answer);
    if (consequence) consequences.push(consequence);
    isStopped = (request.flags & FLAG.stopOnError) !== 0 && answer.fields.result === false;
  }
  return { answers, consequences };
}

async function handleCommand(command: Message, parts: HandlerParts): Promise<Outcome> {
  // CloudStack's agent fails on it as well: the field may be missing, but not null.
  if (command.fields.contextMap === null) return { answer: failed('contextMap must not be null') };
  try {
    parts.recall.throwIfAborted();
    return await (HANDLERS.get(command.type) ?? handleByResource)(command, parts);
  } catch (error) {
    return { answer: failed(reasonOf(error)) };
  }
}

/** The answers to a packet that comes while too many are in progress. */
export function tooMany({ messages }: Packet): Message[] {
  return messages.map(() => failed(`${LIMITS.requestsInProgress} requests are in progress already`));
}
