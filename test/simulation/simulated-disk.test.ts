import t from 'tap';
import { codeOf } from '../../src/lib/errors.js';
import { writeFileAtomic } from '../../src/lib/files/atomic-file.js';
import { SimulatedDisk } from './simulated-disk.js';
import { MachineClock, SimulatedProcess } from './simulated-process.js';
import { World } from './world.js';

const [OLD, NEW] = ['old='.padEnd(100, 'o'), 'new='.padEnd(200, 'n')];
const PATH = '/folder/file';
const SEEDS = 100;

/** A disk with an old file, and what is seen there at each step. */
function bench(seed = 1) {
  const world = new World(seed);
  const disk = new SimulatedDisk(world.random('disk'));
  disk.put(PATH, OLD);
  const process = new SimulatedProcess('process', world, new MachineClock(world.random('clocks')));
  const seen = { now: new Set<string | undefined>(), afterPowerCut: new Set<string | undefined>() };
  disk.onChange = () => {
    seen.now.add(disk.text(PATH));
    for (const text of disk.textsAfterPowerCut(PATH)) seen.afterPowerCut.add(text);
  };
  const passes = <T>(work: Promise<T>) => world.passes(work, 1_000, () => {});
  return { world, disk, process, seen, passes, files: disk.for(process) };
}

t.test('simulated disk: a file that is replaced as it should be is the old or the new one at each step', async t => {
  const { files, seen, passes, disk } = bench();
  await passes(writeFileAtomic(PATH, NEW, { disk: files }));
  t.same([...seen.now].sort(), [NEW, OLD]);
  t.same([...seen.afterPowerCut].sort(), [NEW, OLD]);
  t.same([...disk.textsAfterPowerCut(PATH)], [NEW], 'and survives');
});

t.test('simulated disk: a file that is written in its place is empty, and then there in part', async t => {
  const { files, seen, passes } = bench();
  const write = async () => {
    const file = await files.open(PATH, 'w');
    await file.writeFile(NEW);
  };
  await passes(write());
  t.ok(seen.now.has(''), 'empty');
  t.ok(
    [...seen.now].some(text => text !== '' && text !== NEW && NEW.startsWith(text ?? '-')),
    'in part',
  );
  t.ok(seen.afterPowerCut.has(OLD), 'nothing was synced: the old one may come back');
});

t.test(
  'simulated disk: a name that was not synced may be lost, and one that was not written through is torn',
  async t => {
    const { files, passes, disk } = bench();
    const write = async () => {
      const file = await files.open(`${PATH}.tmp`, 'wx');
      await file.writeFile(NEW);
      await files.rename(`${PATH}.tmp`, PATH);
      return file;
    };
    const file = await passes(write());
    const half = NEW.slice(0, NEW.length / 2);
    t.same(disk.textsAfterPowerCut(PATH), new Set([OLD, '', NEW, half]));
    const folder = await passes(files.open('/folder', 'r'));
    await passes(folder.sync());
    t.same(disk.textsAfterPowerCut(PATH), new Set(['', NEW, half]), 'the name is there, and its content may not be');
    await passes(file.sync());
    t.same(disk.textsAfterPowerCut(PATH), new Set([NEW]));
  },
);

t.test(`simulated disk: a kill, a full disk and a power failure leave parts of an append (${SEEDS} seeds)`, async t => {
  const left = { kill: new Set<number>(), full: new Set<number>(), power: new Set<number>() };
  let isRefused = true;
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (const [how, lengths] of Object.entries(left)) {
      const { files, disk, process, passes, world } = bench(seed);
      const file = await passes(files.open(PATH, 'a'));
      let steps = 0;
      disk.onChange = () => {
        if (++steps === 1 && how === 'kill') process.end();
      };
      disk.isFull = how === 'full';
      const appending = file.appendFile(Buffer.from(NEW));
      appending.catch(() => {});
      await world.runUntil(world.now + 10, () => {});
      if (how === 'full') isRefused &&= (await appending.then(String, codeOf)) === 'ENOSPC';
      if (how === 'power') disk.powerCut();
      const text = disk.text(PATH) ?? '';
      if (!`${OLD}${NEW}`.startsWith(text) || !text.startsWith(OLD)) t.fail(`${how} leaves ${text}`);
      lengths.add(text.length - OLD.length);
    }
  }
  t.ok(isRefused);
  for (const [how, lengths] of Object.entries(left)) t.ok(lengths.size > SEEDS / 5, `${how}: ${lengths.size} lengths`);
});

t.test('simulated clocks: the wall clock runs wrong at a rate of its own', async t => {
  const HOUR_MS = 3_600_000;
  const clock = new MachineClock(new World(3).random('clocks'));
  const driftMs = clock.wallTime(HOUR_MS) - clock.wallTime(0) - HOUR_MS;
  t.ok(driftMs !== 0 && Math.abs(driftMs) <= 1_800, `${driftMs} ms in an hour`);
  t.not(Math.round((clock.rate - 1) * HOUR_MS), driftMs);
});
