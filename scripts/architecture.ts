// Draws the folders of src/ and their imports in docs/architecture.md: npm run docs. With --check it changes nothing, and
// exits with 1 when the file is out of date.
import { fileURLToPath } from 'node:url';
import { remakePage } from './made-page.js';
import { importsOf, ROOMS, roomOf, sourceFiles } from './rooms.js';

const FILE = 'docs/architecture.md';
const BEGIN = '<!-- rooms: made by scripts/architecture.ts, npm run docs -->';
const END = '<!-- end of rooms -->';

/** What each room or entry point imports: the rooms, by the name of the importing one. */
type Arrows = ReadonlyMap<string, ReadonlySet<string>>;

/** @returns `text`, the content of docs/architecture.md, with the rooms of `arrows` between the two marks */
export function withRooms(text: string, arrows: Arrows): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${FILE} has no region between "${BEGIN}" and "${END}"`);
  return `${text.slice(0, begin + BEGIN.length)}\n\n${drawing(arrows)}\n\n${table(arrows)}\n\n${text.slice(end)}`;
}

/** The arrows between the rooms of a source folder, as its files have them now. @param src its path */
export function readArrows(src: string): Arrows {
  const arrows = new Map<string, Set<string>>();
  for (const file of sourceFiles(src)) {
    const from = roomOf(file) ?? file;
    const to = arrows.get(from) ?? new Set();
    arrows.set(from, to);
    for (const imported of importsOf(src, file)) {
      const room = roomOf(imported);
      if (room !== undefined && room !== from) to.add(room);
    }
  }
  return arrows;
}

/** A flowchart without the arrows that follow from others: where a → b and b → c, there is no a → c. */
function drawing(arrows: Arrows): string {
  const level = (name: string) => Object.keys(ROOMS).indexOf(name);
  // The entry points, which are no rooms, come first.
  const names = [...arrows.keys()].sort((a, b) => Number(level(a) >= 0) - Number(level(b) >= 0) || level(b) - level(a));
  const lines = names.flatMap(from => {
    const direct = arrows.get(from) ?? new Set<string>();
    const indirect = new Set([...direct].flatMap(room => [...reachable(arrows, room)]));
    return inOrder(direct)
      .filter(to => !indirect.has(to))
      .map(to => `  ${node(from)} --> ${node(to)}`);
  });
  return ['```mermaid', 'flowchart TD', ...lines, '```'].join('\n');
}

/** All that a room imports, directly or through others. */
function reachable(arrows: Arrows, room: string): ReadonlySet<string> {
  const found = new Set<string>();
  const open = [room];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const to of arrows.get(next) ?? []) {
      if (found.has(to)) continue;
      found.add(to);
      open.push(to);
    }
  }
  return found;
}

/** A node's id is made of letters; another name stands in its label. */
function node(name: string): string {
  const id = name.replace(/\W/g, '_');
  return id === name ? id : `${id}["${name}"]`;
}

function table(arrows: Arrows): string {
  const rows = Object.entries(ROOMS)
    .reverse()
    .map(([room, { holds, not }]) => {
      const imports = inOrder(arrows.get(room) ?? new Set());
      return `| \`src/${room}\` | ${holds} | ${not} | ${imports.join(', ') || 'nothing'} |`;
    });
  return ['| folder | what belongs in it | what does not | imports |', '|---|---|---|---|', ...rows].join('\n');
}

function inOrder(rooms: ReadonlySet<string>): readonly string[] {
  return Object.keys(ROOMS).filter(room => rooms.has(room));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) remakePage(FILE, text => withRooms(text, readArrows('src')));
