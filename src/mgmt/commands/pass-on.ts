import { codeOf, reasonOf } from '../../lib/errors.js';
import { peerText } from '../../lib/text/peer-text.js';
import { FLAG, rawBodyOf } from '../../protocol/index.js';
import type { AttacheRegistry } from '../agents/attache-registry.js';
import type { RequestSignals, ServerReply, ServerRequest } from '../cluster/links/server-request.js';
import { unsupportedBy } from './own-classes.js';

/** It is of no use to ask again. */
const FINAL: readonly unknown[] = ['TOO_MANY_REQUESTS', 'BODY_TOO_LARGE'];

/**
 * Sends commands to an agent of this server, whichever server has been asked for them. Never rejects.
 * @param from the msid of that server
 */
export async function passOn(
  registry: Pick<AttacheRegistry, 'get'>,
  { hostId, flags, body }: ServerRequest,
  from: number,
  { signal, recall }: RequestSignals,
): Promise<ServerReply> {
  const attache = registry.get(hostId);
  if (attache === undefined) return { kind: 'notSent', reason: 'the host has no link to the server that had it last' };
  const { isRepeatable } = attache;
  if ((flags & FLAG.repeated) !== 0 && !isRepeatable) {
    return { kind: 'lost', reason: 'its link ended before the answer came', isRepeatable };
  }
  try {
    const answers = unsupportedBy(capability => attache.can(capability), body);
    if (answers !== undefined) return { kind: 'answered', body: rawBodyOf(answers) };
  } catch (error) {
    return { kind: 'notSent', reason: peerText(reasonOf(error)), isFinal: true };
  }
  let isSent = false;
  const notSent = new AbortController();
  const onRecall = () => {
    if (!isSent) notSent.abort(new Error('taken back'));
  };
  recall.addEventListener('abort', onRecall, { once: true });
  if (recall.aborted) onRecall();
  try {
    const answer = await attache.passOn(body, {
      flags: flags & (FLAG.stopOnError | FLAG.inSequence),
      mgmtId: from,
      signal: AbortSignal.any([signal, notSent.signal]),
      recall,
      onSent: () => {
        isSent = true;
      },
    });
    return { kind: 'answered', body: answer };
  } catch (error) {
    const reason = peerText(reasonOf(error));
    if ((signal.aborted || notSent.signal.aborted) && !isSent)
      return { kind: 'notSent', reason: 'it waited for those in sequence before it' };
    if (isSent) return { kind: 'lost', reason, isRepeatable };
    return { kind: 'notSent', reason, isFinal: FINAL.includes(codeOf(error)) };
  } finally {
    recall.removeEventListener('abort', onRecall);
  }
}
