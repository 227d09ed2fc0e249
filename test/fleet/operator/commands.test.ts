import t from 'tap';
import { FAULT_FORMS, FaultError } from '../../../src/fleet/faults/fault.js';
import { answerTo } from '../../../src/fleet/operator/commands.js';

t.test('operator: a line is a fault, or one of four other words; what is neither is said', async t => {
  const done: string[] = [];
  const commanded = {
    fault(text: string) {
      if (text === 'kil 3') throw new FaultError('"kil" is no fault');
      done.push(text);
      return 'to 3 agents';
    },
    heal: () => 2,
    status: () => 'all is well',
    quit: () => void done.push('quit'),
  };
  const answer = (line: string) => answerTo(line, commanded);
  t.equal(answer(''), undefined);
  t.equal(answer(' kill 3 '), 'kill 3: done to 3 agents');
  t.equal(answer('kil 3'), '"kil" is no fault; "help" has all');
  t.equal(answer('heal'), 'ended: 2');
  t.equal(answer('status'), 'all is well');
  t.equal(answer('quit'), undefined);
  t.strictSame(done, ['kill 3', 'quit']);
  const help = answer('help') ?? '';
  t.strictSame(
    [...FAULT_FORMS.map(([form]) => form), 'heal', 'status', 'quit', 'TIME'].filter(word => !help.includes(word)),
    [],
  );
});
