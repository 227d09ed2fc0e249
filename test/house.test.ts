import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import t from 'tap';

const root = new URL('../src/', import.meta.url).pathname;
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(file => /(?<!\.d)\.ts$/.test(file));

/**
 * Which folders a folder may import. Files of a folder may import each other; a folder in a folder, such as
 * agent/handlers, belongs to the room around it unless it is named here. Entry points, the files of src/ itself, may
 * import everything.
 */
const STORE = ['lib', 'mgmt/store'];
const BASE = [...STORE, 'mgmt/config'];
const SHARED = [...BASE, 'protocol', 'mgmt/cluster', 'mgmt/security'];
const HOSTS = [...SHARED, 'mgmt/hosts'];
const LISTS = [...HOSTS, 'mgmt/lists'];
const AGENTS = [...LISTS, 'mgmt/agents'];
const JOBS = [...AGENTS, 'mgmt/jobs'];
const HTTP = [...JOBS, 'api', 'mgmt/http'];
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  protocol: ['lib'],
  api: ['lib'],
  agent: ['lib', 'protocol'],
  'agent/doctor': ['lib', 'protocol', 'agent'],
  fleet: ['lib', 'protocol', 'agent'],
  admin: ['lib', 'api', 'agent/doctor'],
  'mgmt/store': ['lib'],
  'mgmt/store/sql': STORE,
  'mgmt/store/sqlite': [...STORE, 'mgmt/store/sql'],
  'mgmt/store/mysql': [...STORE, 'mgmt/store/sql'],
  'mgmt/config': STORE,
  'mgmt/cluster': BASE,
  'mgmt/security': [...BASE, 'protocol'],
  'mgmt/hosts': SHARED,
  'mgmt/lists': HOSTS,
  'mgmt/agents': LISTS,
  'mgmt/jobs': AGENTS,
  'mgmt/http': [...JOBS, 'api'],
  mgmt: [...HTTP, 'mgmt/store/sql', 'mgmt/store/sqlite', 'mgmt/store/mysql'],
};

/** A room holds about 15 files; more than this is a hall. */
const MOST_FILES = 24;

t.test('house: the arrows between all folders point one way', async t => {
  const wrong: string[] = [];
  for (const file of files) {
    const from = roomOf(file);
    if (from === '') continue;
    for (const imported of importsOf(file)) {
      const to = roomOf(imported);
      if (to !== from && !ROOMS[from]?.includes(to)) wrong.push(`${file} imports ${imported}`);
    }
  }
  t.same(wrong, []);
});

t.test('house: a rank has no arrow back', async t => {
  const back = Object.entries(ROOMS).flatMap(([room, below]) =>
    below.filter(other => ROOMS[other]?.includes(room)).map(other => `${room} and ${other}`),
  );
  t.same(back, []);
});

t.test('house: every folder has its place, and none is a hall', async t => {
  const folders = new Set(files.map(file => dirname(file)).filter(folder => folder !== '.'));
  t.same(
    [...folders].filter(folder => roomOf(`${folder}/x.ts`) === ''),
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

/** The room that a file is in: the innermost folder of its path that `ROOMS` names. */
function roomOf(file: string): string {
  for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) {
    if (folder in ROOMS) return folder;
  }
  return '';
}
