import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readArrows, withRooms } from '../../scripts/architecture.js';
import { ROOT } from '../helpers/root.js';

const text = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');

t.test('docs: docs/architecture.md draws the folders and their imports as they are', async t => {
  const arrows = readArrows(join(ROOT, 'src'));
  t.ok(withRooms(text, arrows) === text, 'npm run docs writes it');
  const another = new Map([...arrows, ['lib', new Set(['protocol'])]]);
  t.ok(withRooms(text, another) !== text, 'another arrow is noticed');
});

t.test('docs: every file that docs/architecture.md names exists', async t => {
  const paths = [...text.matchAll(/`((?:src|test|scripts|docs|conf)(?:\/[\w./-]+)?)`/g)].map(([, path = '']) => path);
  t.ok(paths.length > 100);
  t.same(
    paths.filter(path => !existsSync(join(ROOT, path))),
    [],
  );
});

t.test('docs: every name behind a file in docs/architecture.md is declared in that file', async t => {
  const named = [...text.matchAll(/`([\w./-]+\.ts)`\s`(#?\w+)`/g)];
  t.ok(named.length > 80);
  t.same(
    named.filter(([, file = '', name = '']) => !declares(file, name)).map(([found]) => found),
    [],
  );
});

function declares(file: string, name: string): boolean {
  const path = join(ROOT, file);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return false;
  const isDeclared = new RegExp(
    `(^|\\s)(function\\*?|const|class|interface|type) ${name}\\b|^  (async |readonly )*${name}[(<:]`,
    'm',
  );
  return isDeclared.test(readFileSync(path, 'utf8'));
}
