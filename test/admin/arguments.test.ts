import t from 'tap';
import { parseAdminArguments } from '../../src/admin/arguments.js';
import { UsageError } from '../../src/admin/usage-error.js';

t.test('arguments: a command, key=value, words and options in any order', async t => {
  const asked = parseAdminArguments(['-o', 'json', 'listHosts', 'name=a=b', '--async', 'PageSize=-1', 'word', 'x=']);
  t.match(asked, { command: 'listHosts', output: 'json', async: true, watch: false, words: ['word'], help: false });
  t.strictSame(
    [...asked.params],
    [
      ['name', 'a=b'],
      ['pagesize', '-1'],
      ['x', ''],
    ],
  );
  const options = parseAdminArguments(['--config=x.ini', '--endpoint', 'http://h/', 'status', '--watch']);
  t.match(options, { config: 'x.ini', endpoint: 'http://h/', watch: true, output: 'table' });
  t.match(parseAdminArguments([]), { command: undefined });
  t.match(parseAdminArguments(['-h']), { command: undefined, help: true });
  t.match(parseAdminArguments(['--', 'listHosts', '--help']).words, ['--help']);
});

t.test('arguments: of a parameter that is given twice the last one counts', async t => {
  t.equal(parseAdminArguments(['x', 'name=a', 'Name=b']).params.get('name'), 'b');
});

t.test('arguments: a misspelt option gets the nearest one, a wrong value what is allowed', async t => {
  const cases: [string[], RegExp][] = [
    [['--cofnig', 'x'], /^--cofnig is no option: did you mean --config\?$/],
    [['--asink'], /did you mean --async\?$/],
    [['-x'], /^-x is no option: known are --output, --config, --endpoint/],
    [['-o', 'yaml'], /^-o yaml: allowed are table, json$/],
    [['--config'], /'--config <value>' argument missing$/],
    [['--async=yes'], /'--async' does not take an argument$/],
    [['--toString'], /^--toString is no option/],
  ];
  for (const [argv, message] of cases) {
    t.throws(() => parseAdminArguments(argv), { message }, argv.join(' '));
    t.throws(() => parseAdminArguments(argv), UsageError);
  }
});
