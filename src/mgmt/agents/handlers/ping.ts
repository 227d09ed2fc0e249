import { PingAnswer } from '../../../protocol/index.js';
import type { Handler } from './handler.js';

export const handlePing: Handler = (command, { avoidMsList, pinged }) => {
  const { roundTripMs } = command.fields;
  pinged(typeof roundTripMs === 'number' ? roundTripMs : undefined);
  return {
    kind: 'answer',
    answer: PingAnswer.encode({
      _command: command.fields,
      // Never true: the host's row exists while the link does, and a second Startup ends the link.
      sendStartup: false,
      avoidMsList,
      reconcileCommands: [],
      result: true,
    }),
  };
};
