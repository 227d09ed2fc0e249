import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import t from 'tap';

const root = new URL('../src/', import.meta.url).pathname;
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(file => /(?<!\.d)\.ts$/.test(file));

/** Who may import whom; a file in the top folder is an entry point, and may import all. `admin` is one in several files. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  lib: ['lib'],
  protocol: ['lib', 'protocol'],
  agent: ['lib', 'protocol', 'agent'],
  fleet: ['lib', 'protocol', 'agent', 'fleet'],
  mgmt: ['lib', 'protocol', 'mgmt'],
  admin: ['lib', 'protocol', 'agent', 'mgmt', 'admin'],
};

t.test('house: lib ← protocol ← agent, mgmt ← entry points; agent and mgmt never import each other', async t => {
  const wrong: string[] = [];
  for (const file of files) {
    const from = folderOf(file);
    for (const imported of importsOf(file)) {
      const to = folderOf(imported);
      if (from !== '' && !MAY_IMPORT[from]?.includes(to)) wrong.push(`${file} imports ${imported}`);
    }
  }
  t.same(wrong, []);
});

t.test('house: one file touches timers and the clock, one the dice', async t => {
  const users = (pattern: RegExp) => files.filter(file => pattern.test(sourceOf(file)));
  t.same(users(/\bDate\.now\(|\bsetTimeout\(|\bsetInterval\(|\bperformance\.now\(/), ['lib/clock.ts']);
  t.same(users(/\bMath\.random\(/), ['lib/random.ts']);
});

t.test('house: decisions import no sockets, clocks, logs or stores', async t => {
  const pure = files.filter(file =>
    /-(state|step)\.ts$|algorithms\.ts$|backoff\.ts$|host-cycler\.ts$|liveness\.ts$/.test(file),
  );
  t.ok(pure.length >= 5);
  const impure = pure.filter(file =>
    [...sourceOf(file).matchAll(/^import (?!type )[^;]*'([^']+)'/gm)].some(([, name = '']) =>
      /node:(net|tls|fs|dns)|clock|logger|store/.test(name),
    ),
  );
  t.same(impure, []);
});

t.test('house: only the store folder knows of SQL', async t => {
  const users = files.filter(file => /from '(kysely|libsql|mysql2[^']*)'/.test(sourceOf(file)));
  t.same(
    users.filter(file => !file.startsWith('mgmt/store/')),
    [],
  );
});

function sourceOf(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** Relative imports, as paths below src. */
function importsOf(file: string): string[] {
  return [...sourceOf(file).matchAll(/from '(\.[^']+)'/g)].map(([, path = '']) =>
    relative(root, join(root, dirname(file), path)),
  );
}

function folderOf(file: string): string {
  return file.includes('/') ? (file.split('/')[0] ?? '') : '';
}
