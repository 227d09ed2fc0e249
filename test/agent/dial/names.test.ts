import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { KnownAddresses } from '../../../src/agent/dial/known-addresses.js';
import { Names } from '../../../src/agent/dial/names.js';
import { addressesIn } from '../../../src/agent/dial/system-lookup.js';
import { LIMITS } from '../../../src/protocol/index.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';
import { RecordingLog } from '../../helpers/recording-log.js';
import { testFolder } from '../../helpers/scratch.js';
import { until } from '../../helpers/until.js';

interface Asked {
  readonly name: string;
  resolve(addresses: readonly string[]): void;
  reject(error: Error): void;
}

/** Names whose lookups the test answers. */
function namesBench(file?: string) {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const asked: Asked[] = [];
  const lookup = (name: string) =>
    new Promise<readonly string[]>((resolve, reject) => asked.push({ name, resolve, reject }));
  const names = new Names({ clock, known: new KnownAddresses(file, log), lookup });
  return { clock, log, asked, names };
}

/** What becomes of a lookup; 'pending' so far. */
function watch(work: Promise<readonly string[]>): { readonly now: () => string } {
  let outcome = 'pending';
  work.then(
    addresses => {
      outcome = addresses.join();
    },
    error => {
      outcome = `${error.code ?? error.message}`;
    },
  );
  return { now: () => outcome };
}

/** A name that was looked up once, with success. */
async function known(bench: ReturnType<typeof namesBench>, name: string, addresses: readonly string[]) {
  const first = bench.names.addresses(name);
  bench.asked.pop()?.resolve(addresses);
  await first;
}

t.test('names: an address is not looked up', async t => {
  const { names, asked } = namesBench();
  t.same(await names.addresses('192.0.2.1'), ['192.0.2.1']);
  t.same(await names.addresses('2001:db8::1'), ['2001:db8::1']);
  t.equal(asked.length, 0);
});

t.test('regression: names: a lookup that hangs is bounded, one for each name, and holds up no other name', async t => {
  const { clock, names, asked } = namesBench();
  const hanging = [watch(names.addresses('bad1')), watch(names.addresses('bad1')), watch(names.addresses('bad2'))];
  const good = names.addresses('good');
  asked.find(({ name }) => name === 'good')?.resolve(['192.0.2.7']);
  t.same(await good, ['192.0.2.7']);
  await settle();
  t.same(
    asked.map(({ name }) => name),
    ['bad1', 'bad2', 'good'],
    'shared',
  );
  await clock.advance(LIMITS.lookupMs);
  t.same(
    hanging.map(({ now }) => now()),
    ['ETIMEOUT', 'ETIMEOUT', 'ETIMEOUT'],
  );
  const again = watch(names.addresses('bad1'));
  await settle();
  t.equal(asked.length, 3, 'the one in flight is not begun again');
  asked[0]?.resolve(['192.0.2.1']);
  await settle();
  t.equal(again.now(), '192.0.2.1');
  t.equal(clock.pending, 0);
});

t.test('names: the last good addresses are used when a lookup fails, or is late', async t => {
  const bench = namesBench();
  const { clock, names, asked } = bench;
  await known(bench, 'ms1', ['192.0.2.1', '192.0.2.2']);
  const failing = names.addresses('ms1');
  asked.pop()?.reject(new Error('SERVFAIL'));
  t.same(await failing, ['192.0.2.1', '192.0.2.2']);
  const late = watch(names.addresses('ms1'));
  await clock.advance(999);
  t.equal(late.now(), 'pending');
  await clock.advance(1);
  t.equal(late.now(), '192.0.2.1,192.0.2.2');
  asked.pop()?.resolve(['192.0.2.9']);
  await settle();
  const next = watch(names.addresses('ms1'));
  await clock.advance(1_000);
  t.equal(next.now(), '192.0.2.9', 'what comes late is kept');
});

t.test('names: a name without good addresses fails as its lookup does', async t => {
  const { names, asked } = namesBench();
  const failing = watch(names.addresses('ms1'));
  asked.pop()?.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }));
  await settle();
  t.equal(failing.now(), 'ENOTFOUND');
});

async function fileIn(t: Test, text?: string): Promise<string> {
  const file = join(testFolder(t), 'agent.properties.addresses');
  if (text !== undefined) await writeFile(file, text);
  return file;
}

t.test('names: good addresses are on disk for the next start', async t => {
  const file = await fileIn(t);
  await known(namesBench(file), 'ms1.example.org', ['192.0.2.1', '2001:db8::1']);
  const expected = '{"ms1.example.org":["192.0.2.1","2001:db8::1"]}\n';
  await until(() => existsSync(file) && readFileSync(file, 'utf8') === expected);
  const { names, asked } = namesBench(file);
  const started = names.addresses('ms1.example.org');
  asked.pop()?.reject(new Error('no name server answers'));
  t.same(await started, ['192.0.2.1', '2001:db8::1']);
});

t.test('names: a file that is no such file is advice that nobody takes', async t => {
  for (const text of ['', 'nonsense', '[]', 'null', '{"ms1":"192.0.2.1"}', '{"ms1":[7,"no address",null]}']) {
    const { names, asked } = namesBench(await fileIn(t, text));
    const failing = watch(names.addresses('ms1'));
    asked.pop()?.reject(new Error('nobody knows'));
    await until(() => failing.now() === 'nobody knows', text);
  }
});

t.test('names: a file that cannot be written is said once', async t => {
  const bench = namesBench(join(testFolder(t), 'missing', 'x.addresses'));
  await known(bench, 'ms1', ['192.0.2.1']);
  await until(() => bench.log.count('warn Cannot write the last good addresses') === 1);
  await known(bench, 'ms1', ['192.0.2.2']);
  await known(bench, 'ms2', ['192.0.2.3']);
  await settle();
  t.equal(bench.log.count('warn Cannot write the last good addresses'), 1);
});

t.test('names: what is kept is bounded', async t => {
  const bench = namesBench();
  const addresses = Array.from({ length: 100 }, (_, index) => `192.0.2.${index}`);
  for (let n = 0; n <= LIMITS.knownNames; n++) await known(bench, `ms${n}`, addresses);
  const kept = bench.names.addresses('ms1');
  bench.asked.pop()?.reject(new Error('x'));
  t.equal((await kept).length, LIMITS.addressesPerName);
  const first = watch(bench.names.addresses('ms0'));
  bench.asked.pop()?.reject(new Error('forgotten'));
  await settle();
  t.equal(first.now(), 'forgotten');
});

t.test('names: a hosts file gives all addresses of a name', async t => {
  const text =
    '# MS1 192.0.2.9\n127.0.0.1 localhost\n192.0.2.1\tms1.example.org MS1 # the first\n2001:db8::1 ms1\nx ms1\n';
  t.same(addressesIn(text, 'ms1'), ['192.0.2.1', '2001:db8::1']);
  t.same(addressesIn(text, 'ms1.example.org'), ['192.0.2.1']);
  t.same(addressesIn(text, 'first'), []);
});
