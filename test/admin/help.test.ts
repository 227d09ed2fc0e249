import t from 'tap';
import { commandHelp, generalHelp, localHelp } from '../../src/admin/help.js';
import { API } from '../../src/api/commands/index.js';

t.test('regression: help: at 80 columns no line is longer, and none is cut', async t => {
  const texts = [
    generalHelp('muster'),
    generalHelp('node dist/admin.js', 80),
    localHelp('status'),
    localHelp('doctor'),
    localHelp('backup'),
    ...Object.entries(API).map(([name, command]) => commandHelp(name, command)),
  ];
  const lines = texts.flatMap(text => text.split('\n'));
  t.same(
    lines.filter(line => line.length > 80),
    [],
  );
  t.notOk(lines.some(line => /(?<!key=value )…/.test(line)));
  t.match(
    generalHelp('muster', 200),
    /previewHostList +Tells what a proposed host list or algorithm would do: who would get which/,
  );
});
