import t from 'tap';
import { runAtOnce } from '../../../src/lib/interruptible.js';
import { chooseCanary } from '../../../src/mgmt/canary/choose-canary.js';
import type { HostStatus } from '../../../src/mgmt/store/store.js';

const hosts = (count: number, statusOf: (id: number) => HostStatus = () => 'Up') =>
  Array.from({ length: count }, (_, i) => ({ id: i + 1, status: statusOf(i + 1) }));

t.test('choose-canary: about the percentage, and others for each canary', async t => {
  const all = hosts(10_000);
  const [one, two] = [17, 18].map(id => runAtOnce(chooseCanary(all, id, 1)));
  t.ok(
    [one, two].every(indices => Math.abs((indices?.length ?? 0) - 100) < 40),
    `${one?.length} ${two?.length}`,
  );
  t.ok(one?.filter(index => two?.includes(index)).length ?? 0 < 10, 'hardly any twice');
  t.same(runAtOnce(chooseCanary(all, 17, 1)), one, 'always the same');
  const half = runAtOnce(chooseCanary(all, 17, 50));
  t.ok(Math.abs(half.length - 5_000) < 250, `${half.length}`);
  t.same(
    one?.filter(index => !half.includes(index)),
    [],
    'a larger percentage has the same hosts and more',
  );
});

t.test('choose-canary: at least one, and at least one that is Up if any is', async t => {
  for (let id = 1; id <= 200; id++) {
    const few = hosts(3);
    const chosen = runAtOnce(chooseCanary(few, id, 1));
    if (chosen.length === 0 || new Set(chosen).size !== chosen.length) t.fail(`canary ${id}: ${chosen}`);
    const mostlyAway = hosts(40, host => (host === 33 ? 'Up' : 'Disconnected'));
    const withUp = runAtOnce(chooseCanary(mostlyAway, id, 10));
    if (!withUp.includes(32)) t.fail(`canary ${id}: ${withUp}`);
    const away = hosts(3, () => 'Disconnected');
    if (runAtOnce(chooseCanary(away, id, 1)).length === 0) t.fail(`canary ${id}: nobody`);
  }
  t.same(runAtOnce(chooseCanary([], 1, 1)), []);
});
