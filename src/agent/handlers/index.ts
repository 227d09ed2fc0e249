import { reasonOf } from '../../lib/errors.js';
import { peerText } from '../../lib/text/peer-text.js';
import {
  AgentControlCommand,
  Answer,
  CheckHealthCommand,
  CheckNetworkCommand,
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
  UnsupportedAnswer,
} from '../../protocol/index.js';
import { handleSetupCertificate, handleSetupKeyStore } from './certificates.js';
import {
  handleAgentControl,
  handleCheckHealth,
  handleCheckNetwork,
  handleMaintain,
  handleSetHostParams,
  handleShutdown,
} from './control.js';
import type { Consequence, Handler, HandlerParts, Outcome } from './handler.js';
import { handleMigrateAgentConnection, handleSetupMSList } from './host-list.js';
import { handleReady } from './ready.js';

/** Commands about the agent and its links. All others go to the resource. */
const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  [ReadyCommand.type, handleReady],
  [SetupMSListCommand.type, handleSetupMSList],
  [MigrateAgentConnectionCommand.type, handleMigrateAgentConnection],
  [SetupKeyStoreCommand.type, ofAgent(handleSetupKeyStore)],
  [SetupCertificateCommand.type, ofAgent(handleSetupCertificate)],
  [ShutdownCommand.type, handleShutdown],
  [CheckHealthCommand.type, handleCheckHealth],
  [MaintainCommand.type, handleMaintain],
  [SetHostParamsCommand.type, handleSetHostParams],
  [CheckNetworkCommand.type, handleCheckNetwork],
  [AgentControlCommand.type, handleAgentControl],
]);

/** With `handleByAgent` false, CloudStack's servers mean a system VM of this host, which is the resource's. */
function ofAgent(handle: Handler): Handler {
  return (command, parts) =>
    command.fields.handleByAgent === false ? handleByResource(command, parts) : handle(command, parts);
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
    return await (HANDLERS.get(command.type) ?? handleByResource)(command, parts);
  } catch (error) {
    return { answer: failed(reasonOf(error)) };
  }
}

const handleByResource: Handler = async (command, { resource, signal }) => {
  const answer = (await resource.answer(command, { signal })) ?? unsupported(command.type);
  // The resource may be a module without type checks. A copy: what its getters throw, they throw here.
  if (isMessage(answer)) return { answer: { type: answer.type, fields: { ...answer.fields } } };
  throw new TypeError(`the resource ${resource.name} answered ${peerText(command.type)} by what is no message`);
};

function isMessage({ type, fields }: Partial<Message>): boolean {
  return typeof type === 'string' && typeof fields === 'object' && fields !== null && !Array.isArray(fields);
}

/** The answer to a command that has failed. @param details may have words of the command in it */
function failed(details: string): Message {
  return Answer.encode({ result: false, details: peerText(details) });
}

/** The answers to a packet that comes while too many are in progress. */
export function tooMany({ messages }: Packet): Message[] {
  return messages.map(() => failed(`${LIMITS.requestsInProgress} requests are in progress already`));
}

/** The answer to a class that the agent does not know, and to a body that it cannot read. */
export function unsupported(what: string): Message {
  const details = `Unsupported command issued: ${peerText(what)}.  Are you sure you got the right type of server?`;
  return UnsupportedAnswer.encode({ result: false, details });
}
