import { reasonOf } from '../../lib/errors.js';
import { ShutdownCommand } from '../../protocol/index.js';
import type { Attache } from './attache.js';

/** Seconds that an agent has to answer. */
const WAIT_SECONDS = 30;

/** Tells agents whose hosts were removed not to come back. Each link is told once, whoever notices the removal. */
export class RemovalNotices {
  readonly #told = new WeakMap<Attache, Promise<string | undefined>>();

  /** The agent blanks its zone, and stays away. Then its link is closed. @returns why the agent does not know of it */
  tell(attache: Attache): Promise<string | undefined> {
    const former = this.#told.get(attache);
    if (former !== undefined) return former;
    const telling = tellRemoved(attache);
    this.#told.set(attache, telling);
    return telling;
  }
}

async function tellRemoved(attache: Attache): Promise<string | undefined> {
  try {
    const command = ShutdownCommand.encode({ reason: 'deleteHost', removeHost: true, wait: WAIT_SECONDS });
    const { messages } = await attache.ask([command], { inSequence: true });
    return messages[0]?.fields.result === true ? undefined : 'the agent refused to shut down';
  } catch (error) {
    return reasonOf(error);
  } finally {
    attache.end('the host was removed', 'removed');
  }
}
