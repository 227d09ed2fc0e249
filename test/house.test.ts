import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { importsOf, ROOMS, roomOf, sourceFiles } from '../scripts/rooms.js';
import { ROOT } from './helpers/root.js';

const root = join(ROOT, 'src/');
const files = sourceFiles(root);

/** A room holds about 15 files; more than this is a hall. */
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

t.test('house: a rank has no arrow back', async t => {
  const back = Object.entries(ROOMS).flatMap(([room, { mayImport }]) =>
    mayImport.filter(other => ROOMS[other]?.mayImport.includes(room)).map(other => `${room} and ${other}`),
  );
  t.same(back, []);
});

t.test('house: every folder has its place, and none is a hall', async t => {
  const folders = new Set(files.map(file => dirname(file)).filter(folder => folder !== '.'));
  t.same(
    [...folders].filter(folder => roomOf(`${folder}/x.ts`) === undefined),
    [],
  );
  const halls = [...folders].filter(folder => files.filter(file => dirname(file) === folder).length > MOST_FILES);
  t.same(halls, []);
});

t.test('house: one file touches timers and the clock, one the dice', async t => {
  const users = (pattern: RegExp) => files.filter(file => pattern.test(sourceOf(file)));
  t.same(users(/\bDate\.now\(|\bsetTimeout\(|\bsetInterval\(|\bperformance\.now\(/), ['lib/clock.ts']);
  t.same(users(/\bsetImmediate\b|node:timers/), ['lib/clock.ts'], 'nor turns of the event loop');
  t.same(users(/\bMath\.random\(/), ['lib/random.ts']);
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

function sourceOf(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}
