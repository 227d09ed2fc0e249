import { AGENT_MOVE_CAUSES, type AgentMoveCause, type Message, ReadyAnswer } from '../../protocol/index.js';
import type { Arrival } from '../store/store.js';
import { agentMoveKind, type Startup } from './startup.js';

/**
 * How an agent has come, for the record of the move. Pure. Muster's agents say so in their answer to Ready 2, which may
 * differ from what their Startup said: the link that they wanted to leave may have ended meanwhile.
 * @param answer to Ready 2
 * @param isPreferred this server is the first one in the agent's list
 */
export function arrivalOf(
  { moveKind, connectionTransferred }: Pick<Startup, 'moveKind' | 'connectionTransferred'>,
  answer: Message | undefined,
  isPreferred: boolean,
): Arrival {
  const told = answer && ReadyAnswer.is(answer) ? ReadyAnswer.decode(answer).muster : undefined;
  const { gapMs } = told ?? {};
  return {
    kind: agentMoveKind(told?.moveKind) ?? moveKind ?? (connectionTransferred ? 'migrate' : undefined),
    cause: agentMoveCause(told?.moveCause) ?? (connectionTransferred ? 'asked' : 'unknown'),
    isPreferred,
    gapMs: gapMs !== undefined && gapMs >= 0 ? gapMs : null,
  };
}

function agentMoveCause(text: string | undefined): AgentMoveCause | undefined {
  return AGENT_MOVE_CAUSES.find(cause => cause === text);
}
