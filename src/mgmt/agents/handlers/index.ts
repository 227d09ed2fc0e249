import {
  AgentControlCommand,
  Answer,
  FLAG,
  type Message,
  type Packet,
  PingCommand,
  PingRoutingCommand,
  ShutdownCommand,
} from '../../../protocol/index.js';
import { handleAgentControl } from './agent-control.js';
import type { Handler, HandlerParts } from './handler.js';
import { handlePing } from './ping.js';
import { handleShutdown } from './shutdown.js';

/** Handlers by Java class name. Other classes are answered result=true, as CloudStack does. */
const HANDLERS: ReadonlyMap<string, Handler> = new Map([
  [PingRoutingCommand.type, handlePing],
  [PingCommand.type, handlePing],
  [ShutdownCommand.type, handleShutdown],
  [AgentControlCommand.type, handleAgentControl],
]);

const handleUnknown: Handler = () => ({ kind: 'answer', answer: Answer.encode({ result: true }) });

/** What a request, which has one command or several, leads to. */
export type Reply =
  | { readonly kind: 'answers'; readonly answers: readonly Message[] }
  | { readonly kind: 'close'; readonly reason: string };

/** Carries out the commands of a request. @returns one answer for each command, in their order, or that the link closes */
export function handleRequest({ flags, messages }: Packet, parts: HandlerParts): Reply {
  const stopOnError = (flags & FLAG.stopOnError) !== 0;
  const answers: Message[] = [];
  for (const command of messages) {
    if (stopOnError && answers.some(hasFailed)) {
      answers.push(Answer.encode({ result: false, details: 'Stopped by previous failure' }));
      continue;
    }
    if (command.fields.contextMap === null) {
      answers.push(Answer.encode({ result: false, details: 'contextMap must not be null' }));
      continue;
    }
    const outcome = (HANDLERS.get(command.type) ?? handleUnknown)(command, parts);
    if (outcome.kind === 'close') return outcome;
    answers.push(outcome.answer);
  }
  return { kind: 'answers', answers };
}

function hasFailed({ fields }: Message): boolean {
  return fields.result !== true;
}
