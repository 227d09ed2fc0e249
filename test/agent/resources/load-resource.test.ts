import { hostname, totalmem } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { loadResource } from '../../../src/agent/resources/load-resource.js';
import { RecordingLog } from '../../helpers/recording-log.js';

const context = { signal: new AbortController().signal, id: undefined, progress() {} };
const command = { type: 'com.example.DoCommand', fields: {} };

t.test('resource: the built-in one describes this machine, and knows no other commands', async t => {
  for (const setting of [undefined, '']) {
    const log = new RecordingLog();
    const resource = await loadResource(setting, log);
    t.equal(resource.name, 'LibvirtComputingResource');
    const described = { ...(await resource.startup()) } as Record<string, unknown>;
    t.match(described, {
      cpus: Number,
      speed: Number,
      memory: totalmem(),
      name: hostname(),
      type: 'Routing',
      hypervisorType: 'KVM',
      privateIpAddress: /^\d+\.\d+\.\d+\.\d+$/,
      privateNetmask: /^\d+\.\d+\.\d+\.\d+$/,
      privateMacAddress: /^[\da-f:]{17}$/,
    });
    t.ok(Number(described.cpus) > 0 && Number.isSafeInteger(described.speed));
    t.not(described.arch, 'x64', 'named as Java names it');
    t.equal(await resource.answer(command, context), undefined);
    t.same(log.lines, []);
  }
});

t.test('resource: a Java class means the built-in one under its simple name, with a warning', async t => {
  const log = new RecordingLog();
  const resource = await loadResource('com.cloud.hypervisor.kvm.resource.LibvirtComputingResource', log);
  t.equal(resource.name, 'LibvirtComputingResource');
  t.match(log.lines, [/^warn The resource setting names a Java class/]);
  t.equal((await loadResource('com.cloud.agent.resource.DummyResource', log)).name, 'DummyResource');
});

t.test('resource: a module is loaded by its path, with a default export or without', async t => {
  const body = `name: 'Mine', startup() { return { cpus: 3 } }, answer(command, { signal }) { return { type: this.name, fields: {} } }`;
  const folder = t.testdir({
    'default.mjs': `export default { ${body} };`,
    'named.mjs': `export const name = 'Named'; export function startup() { return {} } export function answer() {}`,
    'common.cjs': `module.exports = { ${body} };`,
    'my.own.resource.mjs': `export default { ${body} };`,
  });
  const log = new RecordingLog();
  for (const [file, name] of [
    ['default.mjs', 'Mine'],
    ['named.mjs', 'Named'],
    ['common.cjs', 'Mine'],
    ['my.own.resource.mjs', 'Mine'],
  ] as const) {
    t.equal((await loadResource(join(folder, file), log)).name, name, file);
  }
  const resource = await loadResource(join(folder, 'default.mjs'), log);
  t.same(await resource.startup(), { cpus: 3 });
  t.same(await resource.answer(command, context), { type: 'Mine', fields: {} }, '`this` is the resource');
  t.same(log.lines, []);
});

t.test('resource: a module may export what defineResource takes, without importing it', async t => {
  const folder = t.testdir({
    'definition.mjs': `export default { name: 'Mine', tags: ['ssd'], commands: { 'com.example.DoCommand': () => ({ result: true, done: 1 }) } };`,
    'named.mjs': `export const name = 'Named', commands = {};`,
  });
  const resource = await loadResource(join(folder, 'definition.mjs'), new RecordingLog());
  t.match(resource, { name: 'Mine', tags: ['ssd'] });
  t.match(await resource.answer(command, context), { type: 'com.example.DoAnswer', fields: { result: true, done: 1 } });
  t.match(await resource.startup(), { name: hostname() }, 'it describes this machine');
  t.equal((await loadResource(join(folder, 'named.mjs'), new RecordingLog())).name, 'Named');
});

t.test('resource: a relative path starts at the working folder', async t => {
  const folder = t.testdir({
    'resource.mjs': `export const name = 'R', startup = () => ({}), answer = () => undefined;`,
  });
  const old = process.cwd();
  t.teardown(() => process.chdir(old));
  process.chdir(folder);
  for (const path of ['resource.mjs', './resource.mjs']) {
    t.equal((await loadResource(path, new RecordingLog())).name, 'R', path);
  }
});

t.test('resource: a module that is missing, broken or no resource is a configuration error that says so', async t => {
  const folder = t.testdir({
    'throws.mjs': `throw new Error('not today');`,
    'syntax.mjs': `export default {`,
    'empty.mjs': ``,
    'null.mjs': `export default null;`,
    'number.mjs': `export default 7;`,
    'nameless.mjs': `export default { startup() {}, answer() {} };`,
    'blank.mjs': `export default { name: 'a b', startup() {}, answer() {} };`,
    'mute.mjs': `export default { name: 'R', startup() {} };`,
    'commands.mjs': `export default { name: 'R', commands: { 'a.B': 7 } };`,
    'tags.mjs': `export default { name: 'R', tags: ['a b'], commands: {} };`,
  });
  for (const [file, allowed] of [
    ['missing.mjs', /cannot be loaded/],
    ['throws.mjs', /cannot be loaded: not today/],
    ['syntax.mjs', /cannot be loaded/],
    ['empty.mjs', /must export/],
    ['null.mjs', /must export/],
    ['number.mjs', /must export/],
    ['nameless.mjs', /must export/],
    ['blank.mjs', /must export/],
    ['mute.mjs', /must export/],
    ['commands.mjs', /the command a\.B of a resource must be a function/],
    ['tags.mjs', /the tags of a resource/],
  ] as const) {
    const value = join(folder, file);
    await t.rejects(loadResource(value, new RecordingLog()), { name: 'ConfigError', key: 'resource', value, allowed });
  }
});
