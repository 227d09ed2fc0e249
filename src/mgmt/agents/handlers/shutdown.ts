import { peerText } from '../../../lib/text/peer-text.js';
import type { Handler } from './handler.js';

/** What agents of CloudStack and Muster say when somebody stops them, also by Ctrl-C. */
const STOPPED = 'sig.kill';

/** The agent stops. As in CloudStack, there is no answer, and the link closes. */
export const handleShutdown: Handler = ({ fields: { reason, detail } }) => {
  const parts = reason === STOPPED ? ['the agent was stopped', detail] : ['the agent shut down', reason, detail];
  const said = parts.flatMap(part => (typeof part === 'string' ? peerText(part) : [])).filter(Boolean);
  return { kind: 'close', reason: said.join(': ') };
};
