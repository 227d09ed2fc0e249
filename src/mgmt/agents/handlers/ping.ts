import { PingAnswer, receivedFields } from '../../../protocol/index.js';
import type { Handler } from './handler.js';

/** What an agent says beyond it means nothing. */
const ROUND_TRIP_AT_MOST_MS = 3_600_000;

export const handlePing: Handler = (command, { avoidMsList, newSpreadMs, pinged }) => {
  const roundTripMs = roundTripIn(command.fields);
  const isTime = typeof roundTripMs === 'number' && roundTripMs >= 0 && roundTripMs <= ROUND_TRIP_AT_MOST_MS;
  pinged(isTime ? roundTripMs : undefined);
  const spreadMs = newSpreadMs();
  return {
    kind: 'answer',
    answer: PingAnswer.encode({
      _command: receivedFields(command) ?? command.fields,
      // Never true: the host's row exists while the link does, and a second Startup ends the link.
      sendStartup: false,
      avoidMsList,
      reconcileCommands: [],
      result: true,
      muster: spreadMs === undefined ? undefined : { spreadMs },
    }),
  };
};

/** Agents that are older than `muster` have it beside it. Read until version 0.2. */
function roundTripIn({ muster, roundTripMs }: Readonly<Record<string, unknown>>): unknown {
  return typeof muster === 'object' && muster !== null && 'roundTripMs' in muster ? muster.roundTripMs : roundTripMs;
}
