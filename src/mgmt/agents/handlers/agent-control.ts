import { AgentControlAnswer } from '../../../protocol/index.js';
import type { Handler } from './handler.js';

export const handleAgentControl: Handler = () => ({
  kind: 'answer',
  answer: AgentControlAnswer.encode({ result: true }),
});
