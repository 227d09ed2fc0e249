import { codeOf, reasonOf } from '../../lib/errors.js';
import { peerText } from '../../lib/text/peer-text.js';
import { FLAG } from '../../protocol/index.js';
import type { AttacheRegistry } from '../agents/attache-registry.js';
import type { ServerReply, ServerRequest } from '../cluster/links/server-peer.js';

/** It is of no use to ask again. */
const FINAL: readonly unknown[] = ['TOO_MANY_REQUESTS', 'BODY_TOO_LARGE'];

/**
 * Sends commands to an agent of this server, whichever server has been asked for them. Never rejects.
 * @param from the msid of that server
 * @param signal the commands are taken back, or nobody waits for the answer any more
 */
export async function passOn(
  registry: Pick<AttacheRegistry, 'get'>,
  { hostId, flags, body }: ServerRequest,
  from: number,
  signal: AbortSignal,
): Promise<ServerReply> {
  const attache = registry.get(hostId);
  if (attache === undefined) return { kind: 'notSent', reason: 'the host has no link to the server that had it last' };
  const { isRepeatable } = attache;
  if ((flags & FLAG.repeated) !== 0 && !isRepeatable) {
    return { kind: 'lost', reason: 'its link ended before the answer came', isRepeatable };
  }
  let isSent = false;
  try {
    const answer = await attache.passOn(body, {
      flags: flags & (FLAG.stopOnError | FLAG.inSequence),
      mgmtId: from,
      signal,
      onSent: () => {
        isSent = true;
      },
    });
    return { kind: 'answered', body: answer };
  } catch (error) {
    const reason = peerText(reasonOf(error));
    if (signal.aborted && !isSent) return { kind: 'notSent', reason: 'it waited for those in sequence before it' };
    if (isSent) return { kind: 'lost', reason, isRepeatable };
    return { kind: 'notSent', reason, isFinal: FINAL.includes(codeOf(error)) };
  }
}
