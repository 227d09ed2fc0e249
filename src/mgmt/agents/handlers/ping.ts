import { PingAnswer } from '../../../protocol/index.js';
import type { Handler } from './handler.js';

export const handlePing: Handler = (command, { avoidMsList, pinged }) => {
  const { roundTripMs } = command.fields;
  pinged(typeof roundTripMs === 'number' ? roundTripMs : undefined);
  return {
    kind: 'answer',
    answer: PingAnswer.encode({
      _command: command.fields,
      // The row is never lost while the link lives, and a Startup on a live link would end it.
      sendStartup: false,
      avoidMsList,
      reconcileCommands: [],
      result: true,
    }),
  };
};
