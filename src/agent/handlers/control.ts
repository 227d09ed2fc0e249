import {
  AgentControlAnswer,
  Answer,
  CheckHealthAnswer,
  CheckNetworkAnswer,
  ConfirmAnswersCommand,
  MaintainAnswer,
  ShutdownCommand,
} from '../../protocol/index.js';
import type { Handler } from './handler.js';

export const handleCheckHealth: Handler = () => ({
  answer: CheckHealthAnswer.encode({ result: true, details: 'resource is alive' }),
});

export const handleMaintain: Handler = () => ({ answer: MaintainAnswer.encode({ willMigrate: true, result: true }) });

export const handleSetHostParams: Handler = () => ({ answer: Answer.encode({ result: true }) });

export const handleCheckNetwork: Handler = () => ({
  answer: CheckNetworkAnswer.encode({ result: true, details: 'Network setup check by names is done' }),
});

export const handleAgentControl: Handler = () => ({ answer: AgentControlAnswer.encode({ result: true }) });

export const handleShutdown: Handler = command => ({
  answer: Answer.encode({ result: true }),
  consequence: { kind: 'shutdown', removeHost: ShutdownCommand.decode(command).removeHost },
});

/** Twice is no fault: an id whose answers are forgotten already changes nothing. */
export const handleConfirmAnswers: Handler = (command, { confirm }) => {
  confirm(ConfirmAnswersCommand.decode(command).commandIds ?? []);
  return { answer: Answer.encode({ result: true }) };
};
