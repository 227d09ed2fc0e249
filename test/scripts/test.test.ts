import t from 'tap';
import { runFile, tapFailures } from '../../scripts/test.js';

t.test('regression: tests: what failed is summed up, each once, with the way to it', async t => {
  const found = tapFailures();
  const tap = `TAP version 14
# Subtest: test/a.test.ts
    # Subtest: one
        ok 1 - fine
        not ok 2 - numbers
        # Subtest: inner
            not ok 1 - x
        not ok 3 - inner # time=21.119ms
    not ok 1 - one # time=84.029ms
    not ok 2 - later # TODO known fault
not ok 1 - test/a.test.ts # time=141.353ms
# Subtest: test/b.test.ts
    # Subtest: two
        not ok 1 - z
    not ok 1 - two
not ok 2 - test/b.test.ts
not ok 3 - test/c.test.ts # time=1ms`;
  for (const line of tap.split('\n')) found.read(line);
  t.same(found.failures, [
    'test/a.test.ts > one > numbers',
    'test/a.test.ts > one > inner > x',
    'test/b.test.ts > two > z',
    'test/c.test.ts',
  ]);
});

t.test('regression: tests: an error that belongs to no test fails the file', async t => {
  const run = (kind: string) => runFile('test/fixtures/stray-errors.ts', { args: [kind] });
  const [none, thrown, rejected] = await Promise.all(['none', 'thrown', 'rejected'].map(run));
  t.match([none, thrown, rejected], [{ isPassed: true }, { isPassed: false }, { isPassed: false }]);
});

t.test('regression: tests: what a file has started, and left behind, ends with it', async t => {
  // What it prints has no end as long as that process runs.
  t.match(await runFile('test/fixtures/left-process.ts', {}), { isPassed: true, output: /ok 1 - it leaves a process/ });
});
