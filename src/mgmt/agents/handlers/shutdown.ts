import type { Handler } from './handler.js';

/** The agent stops. As in CloudStack, there is no answer, and the link closes. */
export const handleShutdown: Handler = ({ fields: { reason, detail } }) => {
  const said = [reason, detail].filter(part => typeof part === 'string' && part !== '');
  return { kind: 'close', reason: ['the agent shut down', ...said].join(': ') };
};
