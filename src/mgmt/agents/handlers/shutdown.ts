import { peerText } from '../../../lib/peer-text.js';
import type { Handler } from './handler.js';

/** The agent stops. As in CloudStack, there is no answer, and the link closes. */
export const handleShutdown: Handler = ({ fields: { reason, detail } }) => {
  const said = [reason, detail].flatMap(part => (typeof part === 'string' ? peerText(part) : [])).filter(Boolean);
  return { kind: 'close', reason: ['the agent shut down', ...said].join(': ') };
};
