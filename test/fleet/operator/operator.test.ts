import { PassThrough } from 'node:stream';
import t from 'tap';
import { Operator } from '../../../src/fleet/operator/operator.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { until } from '../../helpers/until.js';

/** Streams that are terminals, or none. */
function operator(inputIsTerminal: boolean, screenIsTerminal: boolean) {
  const clock = new FakeClock();
  const input = Object.assign(new PassThrough(), { isTTY: inputIsTerminal });
  let shown = '';
  const screen = Object.assign(new PassThrough(), { isTTY: screenIsTerminal, columns: 60 });
  screen.on('data', text => {
    shown += text;
  });
  const done: string[] = [];
  const console = new Operator({
    ...{ clock, input: input as unknown as NodeJS.ReadStream, screen: screen as unknown as NodeJS.WriteStream },
  });
  const start = () =>
    console.start({
      status: columns => `status in ${columns}`,
      commanded: {
        fault(text) {
          done.push(text);
          return 'to 3 agents';
        },
        heal: () => 0,
        status: () => 'the whole status',
        quit: () => done.push('quit'),
      },
    });
  return { console, start, clock, input, done, shown: () => shown };
}

t.test('operator: commands come from a pipe, and their answers go to the screen; no line is shown there', async t => {
  const { console, start, clock, input, done, shown } = operator(false, false);
  start();
  t.notOk(console.isShown);
  input.write('kill 3\nstatus\n');
  await until(() => shown().includes('the whole status'));
  t.strictSame(done, ['kill 3']);
  t.equal(shown(), 'kill 3: done to 3 agents\nthe whole status\n');
  input.end();
  console.stop();
  t.equal(clock.pending, 0);
});

t.test('operator: on a screen that is a terminal the status is one line, taken off at the end', async t => {
  const { console, start, clock, shown } = operator(false, true);
  start();
  t.ok(console.isShown);
  await clock.advance(600);
  t.match(shown(), /^\rstatus in 59\rstatus in 59/);
  console.stop();
  t.match(shown(), /\r {12}\r$/);
  t.equal(clock.pending, 0);
});
