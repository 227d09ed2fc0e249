import t from 'tap';
import { showDoctor } from '../../src/admin/doctor.js';
import { systemClock } from '../../src/lib/clock.js';
import { testFolder } from '../helpers/scratch.js';

async function shown(folder: string, output: 'table' | 'json') {
  let text = '';
  const out = (part: string) => {
    text += part;
  };
  return { code: await showDoctor(folder, { clock: systemClock, given: new Map(), output, out }), text };
}

t.test('doctor: for people, each finding is a line, and its remedy the next one', async t => {
  const { code, text } = await shown(testFolder(t), 'table');
  t.equal(code, 2);
  t.match(text, /^ERROR \S+agent\.properties: there is no such file\n {6}→ name the folder of agent\.properties/);
});

t.test('doctor: for programs, all findings are one JSON text', async t => {
  const { code, text } = await shown(testFolder(t), 'json');
  t.equal(code, 2);
  t.match(JSON.parse(text), [{ level: 'error', found: 'there is no such file' }, { level: 'warn' }]);
});
