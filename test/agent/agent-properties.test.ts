import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AgentProperties, readProperties } from '../../src/agent/agent-properties.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { RecordingLog } from '../helpers/recording-log.js';
import { testFolder } from '../helpers/scratch.js';
import { until } from '../helpers/until.js';

/** The properties of a file with this text; none when undefined. */
async function open(t: Test, text?: string, path = join(testFolder(t), 'agent.properties')) {
  if (text !== undefined) await writeFile(path, text);
  const { document, error } = await readProperties(path);
  const clock = new FakeClock();
  const log = new RecordingLog();
  const properties = new AgentProperties(path, document, clock, log);
  return { properties, path, clock, log, error, text: () => readFile(path, 'utf8') };
}

const SAID = 'error Cannot write the properties file';

t.test('properties: what is set is there at once, and the file follows', async t => {
  const { properties, text } = await open(t, '# mine\nguid=g\nhost = a\nworkers=5\n');
  properties.set({ host: 'a,b@static', 'R.id': '7' });
  t.equal(properties.get('host'), 'a,b@static');
  t.equal(properties.get('guid'), 'g');
  await properties.close();
  t.equal(await text(), '# mine\nguid=g\nhost = a,b@static\nworkers=5\nR.id=7\n');
});

t.test('properties: line ends of the file are kept, and a last line without one gets it', async t => {
  for (const [before, after] of [
    ['# mine\r\nhost=a\r\nx=1\r\n', '# mine\r\nhost=b\r\nx=1\r\nR.id=7\r\n'],
    ['host=a\r\nx=1', 'host=b\r\nx=1\r\nR.id=7\r\n'],
    ['x=1\nhost=a', 'x=1\nhost=b\nR.id=7\n'],
    ['', 'host=b\nR.id=7\n'],
  ] as const) {
    const { properties, text } = await open(t, before);
    properties.set({ host: 'b', 'R.id': '7' });
    await properties.close();
    t.equal(await text(), after, JSON.stringify(before));
  }
});

t.test('properties: a value that is there already is not written', async t => {
  const { properties, path } = await open(t, 'host=a\n');
  const { ino } = await stat(path);
  properties.set({ host: 'a' });
  await properties.close();
  t.equal((await stat(path)).ino, ino, 'the file is the same one');
});

t.test('properties: a missing file is an empty one, and it and its folder are made', async t => {
  const path = join(testFolder(t), 'some', 'folder', 'agent.properties');
  const { properties, error, text, log } = await open(t, undefined, path);
  t.equal(error, undefined);
  t.equal(properties.get('host'), undefined);
  properties.set({ guid: 'g' });
  await properties.close();
  t.equal(await text(), 'guid=g\n');
  t.same(log.lines, []);
});

t.test('properties: a file that cannot be read is an empty one, with an error', async t => {
  const path = join(t.testdir({ 'agent.properties': {} }), 'agent.properties');
  const { error, properties } = await open(t, undefined, path);
  t.match(error, { code: 'EISDIR' });
  t.equal(properties.get('host'), undefined);
});

t.test('properties: what an operator edits meanwhile survives', async t => {
  const { properties, path, text } = await open(t, 'host=a\nzone=one\n');
  await writeFile(path, '# by hand\nhost=a\nzone=two\nnew=1\n');
  properties.set({ 'R.id': '7' });
  await properties.close();
  t.equal(await text(), '# by hand\nhost=a\nzone=two\nnew=1\nR.id=7\n');
  t.equal(properties.get('zone'), 'two');
});

t.test('regression: properties: what the file has lost of the identity is put back by the next write', async t => {
  const before = '# mine\nguid=g\nhost=a\nR.id=7\nR.uuid=u\nzone=one\n';
  const emptied = await open(t, before);
  await writeFile(emptied.path, '');
  emptied.properties.set({ host: 'b' });
  await emptied.properties.close();
  t.equal(await emptied.text(), before.replace('host=a', 'host=b'), 'an empty file is as none');

  const template = await open(t, before, join(testFolder(t), 'b.properties'));
  await writeFile(template.path, 'host=x\nzone=two\nR.id=\n');
  template.properties.set({ 'R.name': 'n' });
  await template.properties.close();
  t.equal(await template.text(), 'host=x\nzone=two\nR.id=7\nguid=g\nR.uuid=u\nR.name=n\n');
});

t.test('regression: properties: closing puts the identity back, if there is a file', async t => {
  const { properties, path, text } = await open(t, 'guid=g\nhost=a\nR.id=7\n');
  await writeFile(path, 'host=x\n');
  await properties.close();
  t.equal(await text(), 'host=x\nguid=g\nR.id=7\n');
  const removed = await open(t, 'guid=g\n', join(testFolder(t), 'b.properties'));
  await rm(removed.path);
  await removed.properties.close();
  await t.rejects(removed.text(), { code: 'ENOENT' });
});

t.test('regression: properties: a guid never replaces another, and the file of another host gets no ids', async t => {
  const { properties, path, text, log } = await open(t, 'host=a\n');
  await writeFile(path, 'guid=other\nhost=a\n');
  properties.set({ guid: 'made', 'R.id': '7', host: 'b' });
  await properties.close();
  t.equal(await text(), 'guid=other\nhost=b\n');
  t.equal(properties.get('R.id'), '7');
  t.equal(log.count('error The properties file has another guid now'), 1);
});

t.test('regression: properties: a file in UTF-16, or of zeros, is not written', async t => {
  const utf16 = Buffer.from('\ufeffhost=a\r\n', 'utf16le');
  const { properties, path, log } = await open(t, 'host=a\n');
  await writeFile(path, utf16);
  properties.set({ host: 'b' });
  await properties.close();
  t.same(await readFile(path), utf16);
  t.match(log.fieldsOf(SAID), { reason: /no text in UTF-8 or Latin-1/ });
  await writeFile(path, Buffer.alloc(64));
  t.match((await readProperties(path)).error, { code: 'PROPERTIES_ENCODING' });
});

t.test('properties: a file that is removed meanwhile is made anew', async t => {
  const { properties, path, text } = await open(t, 'guid=g\nhost=a\n');
  await rm(path);
  properties.set({ host: 'b' });
  await properties.close();
  t.equal(await text(), 'guid=g\nhost=b\n', 'from what the agent has in memory');
});

t.test('properties: a read-only file is said once, kept in memory, and tried again each minute', async t => {
  const { properties, path, clock, log, text } = await open(t, 'host=a\n');
  await chmod(path, 0o444);
  properties.set({ host: 'b' });
  await until(() => log.count(SAID) === 1);
  t.match(log.fieldsOf(SAID), { file: path, keys: ['host'], reason: /read-only/ });
  t.equal(properties.get('host'), 'b');
  properties.set({ 'R.id': '7' });
  await until(() => clock.pending === 1);
  await clock.advance(60_000);
  await until(() => clock.pending === 1);
  t.equal(log.count(SAID), 1, 'once');
  t.equal(await text(), 'host=a\n');

  await chmod(path, 0o644);
  await clock.advance(59_999);
  t.equal(await text(), 'host=a\n');
  await clock.advance(1);
  await properties.close();
  t.equal(await text(), 'host=b\nR.id=7\n');

  await chmod(path, 0o444);
  properties.set({ host: 'c' });
  await properties.close();
  t.equal(log.count(SAID), 2, 'a new failure is said again');
});

t.test('properties: closing makes one last attempt at what is pending, and leaves no timer', async t => {
  const { properties, path, clock, log, text } = await open(t, 'host=a\n');
  await chmod(path, 0o444);
  properties.set({ host: 'b' });
  await until(() => log.count(SAID) === 1 && clock.pending === 1);
  await chmod(path, 0o644);
  await properties.close();
  t.equal(await text(), 'host=b\n');
  t.equal(clock.pending, 0);
});

t.test('properties: closing does not wait for a file that stays read-only', async t => {
  const { properties, path, clock, text } = await open(t, 'host=a\n');
  await chmod(path, 0o444);
  properties.set({ host: 'b' });
  await properties.close();
  t.equal(clock.pending, 0);
  t.equal(await text(), 'host=a\n');
});

t.test('properties: what changes while a write is under way is written after it, the last value only', async t => {
  const { properties, text } = await open(t, 'host=a\n');
  for (let at = 0; at < 20; at++) {
    properties.set({ host: `b${at}`, [`k${at % 2}`]: String(at) });
    await new Promise<void>(resolve => setImmediate(resolve));
  }
  await properties.close();
  t.equal(await text(), 'host=b19\nk0=18\nk1=19\n');
});

t.test('properties: a value that goes back to the old one is written as well', async t => {
  const { properties, text } = await open(t, 'host=a\n');
  properties.set({ host: 'b' });
  properties.set({ host: 'a' });
  t.equal(properties.get('host'), 'a');
  await properties.close();
  t.equal(await text(), 'host=a\n');
});

t.test('properties: a folder in the place of the file is an error, and no end', async t => {
  const { properties, path, clock, log, text } = await open(t, 'host=a\n');
  await rename(path, `${path}.old`);
  await mkdir(path);
  properties.set({ host: 'b' });
  await until(() => log.count(SAID) === 1 && clock.pending === 1);
  await rm(path, { recursive: true });
  await rename(`${path}.old`, path);
  await clock.advance(60_000);
  await properties.close();
  t.equal(await text(), 'host=b\n');
});
