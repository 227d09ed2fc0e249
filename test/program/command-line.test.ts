import t from 'tap';
import { ConfigError } from '../../src/lib/errors.js';
import { parseCommandLine, usageLine } from '../../src/program/command-line.js';

const usage = { program: 'node dist/agent.js', defaultFile: 'conf/agent.properties' };
const parse = (...argv: string[]) => parseCommandLine(argv, usage);

t.test('command line: nothing is fine', async t => {
  t.strictSame(parse(), {
    file: undefined,
    defaultFile: 'conf/agent.properties',
    settings: new Map(),
    help: false,
    version: false,
  });
});

t.test('command line: FILE and settings in any order', async t => {
  const { file, settings } = parse(
    'port=1',
    'x.properties',
    'host=a,b@static',
    'db.url=mysql://u:p=q@h/d',
    'zone=',
    'port=2',
  );
  t.equal(file, 'x.properties');
  t.strictSame(Object.fromEntries(settings), {
    port: '2',
    host: 'a,b@static',
    'db.url': 'mysql://u:p=q@h/d',
    zone: '',
  });
});

t.test('command line: an argument with = is a setting, unless it starts as a path does', async t => {
  t.equal(parse('./a=b').file, './a=b');
  t.equal(parse('../a=b').file, '../a=b');
  t.equal(parse('/etc/a=b').file, '/etc/a=b');
  t.strictSame([...parse('conf/a=b').settings], [['conf/a', 'b']]);
  t.strictSame([...parse('.a=/b').settings], [['.a', '/b']]);
  t.strictSame([...parse('__proto__=x').settings], [['__proto__', 'x']]);
});

t.test('command line: --help, -h and --version', async t => {
  t.match(parse('--help'), { help: true, version: false });
  t.match(parse('-h', 'x'), { help: true, file: 'x' });
  t.match(parse('--version'), { help: false, version: true });
});

t.test('command line: after -- there are no options', async t => {
  t.match(parse('--', '-file'), { file: '-file' });
  t.strictSame([...parse('--', '--a=b').settings], [['--a', 'b']]);
});

t.test('command line: anything else is refused by name', async t => {
  const refused = (argv: string[], argument: string, reason: RegExp) => {
    const error = (() => {
      try {
        return parse(...argv);
      } catch (error) {
        return error;
      }
    })();
    t.ok(error instanceof ConfigError, argv.join(' '));
    t.match(error, { key: 'argument', value: argument, message: reason });
    t.match(error, {
      message: /; usage: node dist\/agent\.js \[FILE, default conf\/agent\.properties\] \[key=value …\]/,
    });
  };
  refused(['--verbose'], '--verbose', /^argument=--verbose: no such option/);
  refused(['a', '--log.level=debug'], '--log.level=debug', /settings are given as key=value, without hyphens/);
  refused(['--help=yes'], '--help=yes', /no such option/);
  refused(['-hx'], '-hx', /no such option/);
  refused(['-x=1'], '-x=1', /no such option/);
  refused(['a', 'port=1', 'b'], 'b', /a second FILE after a/);
  refused(['=x'], '=x', /needs a key/);
  refused([''], '', /empty argument/);
});

t.test('command line: the usage is one line', async t => {
  t.equal(
    usageLine(usage),
    'node dist/agent.js [FILE, default conf/agent.properties] [key=value …] [--help] [--version]',
  );
});
