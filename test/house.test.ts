import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { importsOf, ROOMS, roomOf, sourceFiles } from '../scripts/rooms.js';
import { ROOT } from './helpers/root.js';

const root = join(ROOT, 'src/');
const files = sourceFiles(root);

/** A folder has about 15 files; one with more than this has to be split. */
const MOST_FILES = 24;

t.test('house: the arrows between all folders point one way', async t => {
  const wrong: string[] = [];
  for (const file of files) {
    const from = roomOf(file);
    if (from === undefined) continue;
    for (const imported of importsOf(root, file)) {
      const to = roomOf(imported);
      if (to !== from && (to === undefined || !ROOMS[from]?.mayImport.includes(to)))
        wrong.push(`${file} imports ${imported}`);
    }
  }
  t.same(wrong, []);
});

t.test('regression: house: what a file loads later counts as imported', async t => {
  t.ok(importsOf(root, 'mgmt.ts').includes('mgmt/main.js'));
});

t.test('house: folders may not import each other, directly or by way of others', async t => {
  t.same(
    cyclesOf(Object.keys(ROOMS), room => ROOMS[room]?.mayImport.filter(other => other !== room) ?? []),
    [],
  );
});

t.test('house: nor do files', async t => {
  t.same(
    cyclesOf(files, file => importsOf(root, file).map(sourceOfImported)),
    [],
  );
});

t.test('house: every folder is in the table of folders, and none has too many files', async t => {
  const folders = new Set(files.map(file => dirname(file)).filter(folder => folder !== '.'));
  t.same(
    [...folders].filter(folder => roomOf(`${folder}/x.ts`) === undefined),
    [],
  );
  const tooLarge = [...folders].filter(folder => files.filter(file => dirname(file) === folder).length > MOST_FILES);
  t.same(tooLarge, []);
});

t.test('house: one file uses timers and the clock, one random numbers', async t => {
  const users = (pattern: RegExp) => files.filter(file => pattern.test(sourceOf(file)));
  t.same(
    users(/\bDate\.now\(|\bnew Date\(\)|\bAbortSignal\.timeout\(|\bsetTimeout\(|\bsetInterval\(|\bperformance\.now\(/),
    ['console/clock.ts', 'lib/clock.ts'],
    'one on servers and agents, one in the browser',
  );
  t.same(users(/\bsetImmediate\b|node:timers/), ['lib/clock.ts'], 'nor turns of the event loop');
  t.same(users(/\bMath\.random\(|\brandomUUID\(|\brandomInt\(/), ['lib/random.ts']);
  const secrets = ['api-keys', 'enrollment-token', 'hand-over', 'password-key', 'sealing-key'].map(
    name => `mgmt/security/${name}.ts`,
  );
  secrets.unshift('mgmt/http/authentication.ts', 'mgmt/http/console/sessions.ts');
  t.same(users(/^[^*]*\b(?:randomBytes|getRandomValues)\(/m), secrets, 'but for keys, which no test may foresee');
});

t.test('house: decisions import no sockets, clocks, logs or stores', async t => {
  const pure = files.filter(file =>
    /-(state|step)\.ts$|algorithms\.ts$|backoff\.ts$|host-cycler\.ts$|liveness\.ts$|^agent\/steps\//.test(file),
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

t.test('house: the console takes of the API its types and words alone', async t => {
  const importers = files.filter(file =>
    /^import (?!type )[^;]*'(?:\.\.\/)+api\/(?!(?:words|error-text)\.js)/m.test(sourceOf(file)),
  );
  t.same(
    importers.filter(file => file.startsWith('console/')),
    [],
  );
});

function sourceOfImported(imported: string): string {
  const file = imported.replace(/\.js$/, '.ts');
  return files.includes(file) ? file : `${file}x`;
}

function sourceOf(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** Each as the way around it. */
function cyclesOf(nodes: readonly string[], nextOf: (node: string) => readonly string[]): readonly string[] {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (node: string, way: readonly string[]) => {
    if (way.includes(node)) cycles.push([...way.slice(way.indexOf(node)), node].join(' → '));
    if (way.includes(node) || done.has(node)) return;
    for (const next of nextOf(node)) visit(next, [...way, node]);
    done.add(node);
  };
  for (const node of nodes) visit(node, []);
  return cycles;
}
