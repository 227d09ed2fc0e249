import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { readSettingsFile, valuesOf } from '../../src/program/settings-file.js';

t.test('regression: settings file: only the default may be missing, and none may be unreadable', async t => {
  const folder = t.testdir({ folder: {}, zeros: '\0\0\0' });
  const missing = join(folder, 'missing');
  t.match(await readSettingsFile(missing, false), { exists: false, warnings: [] });
  await t.rejects(readSettingsFile(missing, true), {
    code: 'CONFIG_INVALID',
    message: `FILE=${missing}: there is no such file`,
  });
  for (const unreadable of [join(folder, 'folder'), join(folder, 'zeros')]) {
    await t.rejects(readSettingsFile(unreadable, true), { code: 'CONFIG_INVALID', message: /^FILE=.*cannot be read/ });
    await t.rejects(readSettingsFile(unreadable, false), {
      code: 'CONFIG_INVALID',
      message: /^FILE=.*cannot be read/,
    });
  }
});

t.test('settings file: one with a password that others can read is warned about', async t => {
  for (const [text, isSecret] of [
    ['db.url=mysql://muster:PASSWORD@db:3306/muster\n', true],
    ['db.url=mysql://muster@db:3306/muster\n', false],
    ['keystore.passphrase=x\n', true],
    ['keystore.passphrase=\nhost=a@static\n', false],
  ] as const) {
    const path = join(t.testdir({ file: text }), 'file');
    await chmod(path, 0o644);
    t.equal((await readSettingsFile(path, true)).warnings.length, isSecret ? 1 : 0, text);
    await chmod(path, 0o640);
    const { document, exists, warnings } = await readSettingsFile(path, true);
    t.same(warnings, []);
    t.equal(exists, true);
    t.ok(valuesOf(document).size > 0);
  }
});
