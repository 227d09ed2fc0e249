import t from 'tap';
import { Sender } from '../../../src/mgmt/commands/sender.js';
import { SILENT_SERVER_METERS } from '../../../src/mgmt/metrics/server-metrics.js';
import { CheckHealthCommand, type Message, rawBodyOf } from '../../../src/protocol/index.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';

t.test('regression: sender: an answer whose details are no text is an answer', async t => {
  const answer: Message = { type: 'com.example.DoAnswer', fields: { result: true, details: { disks: 2 } } };
  const sender = new Sender({
    ...{ clock: new FakeClock(), meters: SILENT_SERVER_METERS, packetMaxBytes: 2 ** 22 },
    hosts: { find: async () => ({ kind: 'here' }) },
    askHere: async () => ({ kind: 'answered', body: rawBodyOf([answer]) }),
    askServer: async () => ({ kind: 'notSent', reason: 'it is here' }),
    onResourceFailed() {},
  });
  const outcome = await sender.send(7, [CheckHealthCommand.encode({})]);
  t.match(outcome, { kind: 'answered', messages: [answer] });
});
