import t from 'tap';
import { Emitter } from '../../src/lib/emitter.js';
import { RecordingLog } from '../helpers/recording-log.js';

t.test('emitter: listeners are called in order, until they end it; what one throws is logged', async t => {
  const log = new RecordingLog();
  const emitter = new Emitter<{ readonly told: { readonly text: string } }>(log);
  const heard: string[] = [];
  const listener = ({ text }: { readonly text: string }) => void heard.push(text);
  const end = emitter.on('told', listener);
  emitter.on('told', () => {
    throw new Error('no');
  });
  emitter.on('told', listener);
  emitter.emit('told', { text: 'one' });
  end();
  end();
  emitter.emit('told', { text: 'two' });
  t.same(heard, ['one', 'one', 'two']);
  t.equal(log.count('error A listener has failed'), 2);
});

t.test('regression: emitter: what an async listener rejects with is logged, and ends no process', async t => {
  const log = new RecordingLog();
  const emitter = new Emitter<{ readonly told: string }>(log);
  emitter.on('told', async () => {
    await Promise.resolve();
    throw new Error('no');
  });
  emitter.emit('told', 'one');
  await new Promise(setImmediate);
  t.match(log.fieldsOf('error A listener has failed'), { event: 'told', reason: 'no' });
});
