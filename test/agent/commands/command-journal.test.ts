import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CommandJournal } from '../../../src/agent/commands/command-journal.js';
import type { MemoryBounds } from '../../../src/agent/commands/command-memory.js';
import type { CommandOutcome } from '../../../src/agent/commands/command-state.js';
import { fileDisk, type JournalDisk } from '../../../src/agent/commands/journal-disk.js';
import { encodeJournal, encodeRecord } from '../../../src/agent/commands/journal-records.js';
import { LIMITS } from '../../../src/protocol/index.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';
import { FakeDisk } from '../../helpers/fake-disk.js';
import { RecordingLog } from '../../helpers/recording-log.js';
import { testFolder } from '../../helpers/scratch.js';
import { seededRandom } from '../../helpers/seeded-random.js';
import { until } from '../../helpers/until.js';

const BOUNDS: MemoryBounds = {
  commands: LIMITS.commandsKept,
  bytes: LIMITS.commandBytesKept,
  ids: LIMITS.commandIdsKept,
  memoryMs: LIMITS.commandMemoryMs,
  delayMs: LIMITS.commandDelayMs,
};
const MINUTE = 60_000;

/** A journal, and commands that end when the test says so. */
class World<D extends JournalDisk = FakeDisk> {
  readonly clock: FakeClock;
  readonly log = new RecordingLog();
  readonly disk: D;
  readonly journal: CommandJournal;
  /** How many times each id was carried out. */
  readonly runs: Map<string, number>;
  readonly #ends = new Map<string, (answers: string) => void>();

  constructor(disk: D, bounds: Partial<MemoryBounds> = {}, before?: World<JournalDisk>) {
    this.disk = disk;
    this.clock = before?.clock ?? new FakeClock();
    this.runs = before?.runs ?? new Map();
    this.journal = new CommandJournal({ disk, clock: this.clock, log: this.log, bounds: { ...BOUNDS, ...bounds } });
  }

  ask(commandId: string, { expiresInMs = 10 * MINUTE, isThere = true } = {}): CommandOutcome[] {
    const told: CommandOutcome[] = [];
    const asker = { isThere: () => isThere, tell: (outcome: CommandOutcome) => void told.push(outcome) };
    this.journal.ask({ commandId, expiresInMs }, asker, () => {
      this.runs.set(commandId, (this.runs.get(commandId) ?? 0) + 1);
      return new Promise(resolve => this.#ends.set(commandId, resolve));
    });
    return told;
  }

  /** Asks, and waits until the commands begin. */
  async begin(commandId: string, options: { expiresInMs?: number; isThere?: boolean } = {}): Promise<CommandOutcome[]> {
    const told = this.ask(commandId, options);
    await until(() => this.#ends.has(commandId) || told.length > 0);
    return told;
  }

  end(commandId: string, answers = `[{"x.${commandId}":{"result":true}}]`): void {
    this.#ends.get(commandId)?.(answers);
  }

  async run(commandId: string, options: { expiresInMs?: number; answers?: string } = {}): Promise<CommandOutcome> {
    const told = await this.begin(commandId, options);
    this.end(commandId, options.answers);
    await until(() => told.length > 0);
    const [outcome] = told;
    if (outcome === undefined) throw new Error('not told');
    return outcome;
  }

  kept(): readonly string[] {
    return [...this.journal.kept()].map(({ id, outcome }) => ('unknown' in outcome ? `${id}?` : id));
  }
}

async function world(disk = new FakeDisk(), bounds: Partial<MemoryBounds> = {}, before?: World): Promise<World> {
  const made = new World(disk, bounds, before);
  await made.journal.open();
  return made;
}

/** The next process after a crash. */
function next(before: World, bounds: Partial<MemoryBounds> = {}): Promise<World> {
  return world(before.disk.crash(), bounds, before);
}

t.test('journal: an id is on disk before its commands begin, and one fsync serves all that came meanwhile', async t => {
  const w = await world();
  let release = () => {};
  w.disk.held = new Promise(resolve => {
    release = resolve;
  });
  w.ask('first');
  await settle();
  for (let i = 0; i < 100; i++) w.ask(`c${i}`);
  await settle();
  t.equal(w.runs.size, 0, 'nothing begins before it is written');
  release();
  await until(() => w.runs.size === 101);
  t.equal(w.disk.writes, 2);
  const text = w.disk.content?.toString() ?? '';
  t.ok(text.includes('{"started":"first"}') && text.includes('{"started":"c99"}'));
});

t.test('journal: an id that comes again is answered with what there is, to all who have asked', async t => {
  const w = await world();
  const first = await w.begin('a');
  const second = w.ask('a');
  const gone = w.ask('a', { isThere: false });
  w.end('a', '[{"x":{"result":true}}]');
  await until(() => first.length > 0);
  const answered = { kind: 'answered', answers: '[{"x":{"result":true}}]' };
  t.same([first, second, gone], [[answered], [answered], []]);
  t.same(w.ask('a'), [answered], 'and at once when there are answers');
  t.equal(w.runs.get('a'), 1);
});

t.test('journal: answers are kept until a server confirms them, also by the next process', async t => {
  const w = await world();
  await w.run('a');
  await w.run('b');
  await w.begin('c');
  t.same(w.kept(), ['a', 'b']);
  w.journal.confirm(['a', 'never heard of']);
  t.same(w.kept(), ['b']);
  await w.run('d');
  const after = await next(w);
  t.same([...after.kept()].sort(), ['b', 'c?', 'd']);
  t.match(after.log.lines, [/^warn Commands were in progress when the last process/]);
  t.match(after.ask('b'), [{ kind: 'answered', answers: '[{"x.b":{"result":true}}]' }]);
  t.match(after.ask('c'), [{ kind: 'unknown', why: /process of the agent ended/ }]);
  t.match(after.ask('a'), [{ kind: 'unknown', why: /a server has confirmed/ }], 'never carried out again');
  after.journal.confirm(['b', 'c', 'd']);
  t.same(after.kept(), []);
  await after.journal.close(0);
  t.same((await next(after)).kept(), [], 'what was confirmed last is written at the end');
  t.same([...w.runs.values()], [1, 1, 1, 1]);
});

t.test('journal: an outcome that a server has already is not kept', async t => {
  const w = await world();
  const told = await w.begin('a');
  w.journal.confirm(['a']);
  w.end('a');
  await until(() => told.length > 0);
  t.same(w.kept(), []);
});

t.test('journal: it says when an outcome is kept, and whether anybody was told', async t => {
  const w = await world();
  const said: [string, boolean][] = [];
  w.journal.onKept((id, isTold) => said.push([id, isTold]));
  await w.run('told');
  await w.begin('lost', { isThere: false });
  w.end('lost');
  await until(() => said.length === 2);
  t.same(said, [
    ['told', true],
    ['lost', false],
  ]);
});

t.test('journal: ids that cannot be taken are refused with a reason, and may be taken later', async t => {
  const w = await world(new FakeDisk(), { commands: 2 });
  for (const expiresInMs of [0, -5]) t.match(w.ask('a', { expiresInMs }), [{ kind: 'refused', why: /is over/ }]);
  t.match(w.ask('a', { expiresInMs: LIMITS.commandMemoryMs + 1 }), [{ kind: 'refused', why: /remembers ids, 3600 s/ }]);
  await w.begin('one');
  await w.begin('two');
  t.match(w.ask('a'), [{ kind: 'refused', why: /2 packets with an id are in progress/ }]);
  w.end('one');
  await settle();
  await w.begin('a');
  t.same(
    w.runs,
    new Map([
      ['one', 1],
      ['two', 1],
      ['a', 1],
    ]),
  );
});

// ---- the disk

t.test('journal: without an entry nothing is carried out: a full disk refuses, and is tried again', async t => {
  const w = await world();
  await w.run('before');
  w.disk.writeFailure = 'ENOSPC: no space left on device';
  w.disk.tornBytes = 7;
  t.match(await w.begin('a'), [{ kind: 'refused', why: /cannot be written to the journal of commands: ENOSPC/ }]);
  t.match(await w.begin('b'), [{ kind: 'refused', why: /ENOSPC/ }]);
  const { writes } = w.disk;
  await w.clock.advance(1_000);
  t.match(await w.begin('c'), [{ kind: 'refused', why: /ENOSPC/ }]);
  t.equal(w.disk.writes, writes + 1, 'the disk is asked once a second at most');
  t.equal(w.log.count('error Cannot write the journal of commands'), 1, 'and it is said once');
  t.equal(w.runs.size, 1);
  w.disk.writeFailure = undefined;
  await w.clock.advance(1_000);
  await w.run('a');
  t.equal(w.log.count('info The journal of commands can be written again'), 1);
  t.same([...(await next(w)).kept()], ['before', 'a'], 'nothing of before is lost');
});

t.test('journal: answers that could not be written are written later, though nobody asks for anything', async t => {
  const w = await world();
  const told = await w.begin('a');
  w.disk.writeFailure = 'EIO';
  w.end('a');
  await until(() => told.length > 0);
  t.match(told, [{ kind: 'answered' }], 'the one who waits is told all the same');
  await settle();
  t.same((await next(new World(new FakeDisk(w.disk.content)))).kept(), ['a?']);
  w.disk.writeFailure = undefined;
  await w.clock.advance(10_000);
  await settle();
  t.same((await next(w)).kept(), ['a']);
  await w.journal.close(0);
  t.equal(w.clock.pending, 0);
});

t.test('journal: the last attempt is made at the end', async t => {
  const w = await world();
  await w.begin('a');
  w.disk.writeFailure = 'EIO';
  w.end('a');
  await settle();
  w.disk.writeFailure = undefined;
  await w.journal.close(0);
  t.same((await next(w)).kept(), ['a']);
  t.equal(w.clock.pending, 0);
});

t.test('journal: one that cannot be read refuses, says why, and is read again', async t => {
  const before = await world();
  await before.run('a');
  const disk = before.disk.crash();
  disk.readFailure = 'EACCES: permission denied';
  const w = await world(disk, {}, before);
  t.equal(w.log.count('error Cannot read the journal of commands'), 1);
  t.match(w.ask('b'), [{ kind: 'refused', why: /cannot be read: EACCES/ }]);
  t.equal(disk.writes, 0, 'it is not written over');
  disk.readFailure = undefined;
  await w.clock.advance(1_000);
  const told = w.ask('a');
  await until(() => told.length > 0);
  t.match(told, [{ kind: 'answered' }]);
});

t.test('journal: a line that was not written to its end had not taken effect', async t => {
  const whole = encodeJournal([
    { kind: 'started', id: 'a' },
    { kind: 'finished', id: 'a', answers: '[]' },
  ]);
  const last = encodeRecord({ kind: 'started', id: 'b' });
  for (let length = 1; length < last.length; length++) {
    const w = await world(new FakeDisk(Buffer.concat([whole, Buffer.from(last.slice(0, length))])));
    t.same(w.kept(), ['a']);
    await w.begin('b');
    t.equal(w.runs.get('b'), 1);
    t.equal(w.disk.replaced, 1, 'the rest is not written behind it');
    t.same([...(await next(w)).kept()], ['a', 'b?']);
  }
});

t.test('journal: one that is damaged is said, and what it may have had is refused', async t => {
  const whole = encodeJournal([
    { kind: 'started', id: 'a' },
    { kind: 'started', id: 'b' },
    { kind: 'finished', id: 'b', answers: '[]' },
  ]).toString();
  for (const [what, text] of [
    ['a bit', whole.replace('"a"', '"c"')],
    ['an empty file', ''],
    ['its start is missing', whole.slice(30)],
    ['another file', '{"some":"json"}\n'.repeat(3)],
    ['binary', '\u0000\uffff\n'.repeat(3)],
  ] as const) {
    const w = await world(new FakeDisk(Buffer.from(text)));
    t.equal(w.log.count('error The journal of commands is damaged'), 1, what);
    t.match(w.ask('a'), [{ kind: 'refused', why: /may be one that this agent has forgotten/ }], what);
    await w.clock.advance(2 * MINUTE);
    t.match(w.ask('d', { expiresInMs: 50 * MINUTE }), [{ kind: 'refused' }], 'it may have been given before');
    await w.begin('e', { expiresInMs: 60 * MINUTE });
    t.equal(w.runs.get('e'), 1, 'it cannot have been given before');
    const after = await next(w);
    t.equal(after.log.count('error'), 0, 'it is whole again');
    t.match(after.ask('a', { expiresInMs: 50 * MINUTE }), [{ kind: 'refused' }], 'and the next process knows it too');
  }
});

t.test('journal: one of a later version is left alone', async t => {
  const later = encodeJournal([]).toString();
  const disk = new FakeDisk(Buffer.from(later));
  const { createHash } = await import('node:crypto');
  const json = '{"journal":2}';
  disk.content = Buffer.from(`${createHash('sha256').update(json).digest('hex').slice(0, 8)} ${json}\n`);
  const w = await world(disk);
  t.match(w.ask('a'), [{ kind: 'refused', why: /a later version of the agent has written it/ }]);
  t.equal(disk.writes, 0);
});

t.test('journal: the file does not grow beyond what there is to say', async t => {
  const w = await world(new FakeDisk(), { commands: 10 });
  const answers = `["${'x'.repeat(10_000)}"]`;
  let longest = 0;
  for (let i = 0; i < 1_000; i++) {
    await w.run(`c${i}`, { answers });
    w.journal.confirm([`c${i}`]);
    longest = Math.max(longest, w.disk.content?.length ?? 0);
  }
  t.ok(longest < 2 ** 20 + 300_000, String(longest));
  t.ok(w.disk.replaced > 3);
  t.equal((await next(w)).kept().length <= 1, true);
});

t.test('journal: a real file has mode 0600, and other files in its place are noticed', async t => {
  const folder = testFolder(t);
  const path = join(folder, 'commands.journal');
  const w = new World(fileDisk(path));
  await w.journal.open();
  t.throws(() => statSync(path), { code: 'ENOENT' }, 'there is none before the first id');
  await w.run('a');
  t.equal(statSync(path).mode & 0o777, 0o600);
  await w.run('b');
  renameSync(path, `${path}.old`);
  t.match(await w.begin('c'), [{ kind: 'refused', why: /ENOENT/ }]);
  await w.clock.advance(1_000);
  await w.run('c');
  await w.journal.close(5);
  const after = new World(fileDisk(path), {}, w);
  await after.journal.open();
  t.same(after.kept(), ['a', 'b', 'c']);
  writeFileSync(`${path}.new`, readFileSync(path));
  renameSync(`${path}.new`, path);
  t.match(after.ask('a'), [{ kind: 'answered' }]);
  await after.run('d');
  chmodSync(path, 0o400);
  t.match(await after.begin('e'), [{ kind: 'refused', why: /read-only/ }]);
  await after.clock.advance(1_000);
  t.match(await after.begin('e'), [{ kind: 'refused', why: /read-only/ }], 'nor is it replaced');
  chmodSync(path, 0o600);
  await after.clock.advance(1_000);
  await after.run('e');
  await after.journal.close(5);
});

t.test('journal: what is no file, and a folder that is not there, refuse', async t => {
  const folder = testFolder(t);
  mkdirSync(join(folder, 'commands.journal'));
  for (const [path, why] of [
    [join(folder, 'commands.journal'), /EISDIR|not a regular file/],
    [join(folder, 'no-such-folder', 'commands.journal'), /ENOENT/],
  ] as const) {
    const w = new World(fileDisk(path));
    await w.journal.open();
    t.match(await w.begin('a'), [{ kind: 'refused', why }]);
    await w.journal.close(0);
  }
});

// ---- bounds

t.test('journal: answers that have no room are forgotten, the oldest first, and their ids are not', async t => {
  for (const bounds of [{ commands: 3 }, { bytes: 3 * 1_100 }]) {
    const w = await world(new FakeDisk(), bounds);
    for (const id of ['a', 'b', 'c', 'd', 'e']) await w.run(id, { answers: `["${'x'.repeat(1_000)}"]` });
    t.same(w.kept(), ['c', 'd', 'e']);
    t.match(w.ask('a'), [{ kind: 'unknown', why: /were carried out, and their answers are no longer kept/ }]);
    t.match(w.ask('c'), [{ kind: 'answered' }]);
    await settle();
    t.match((await next(w, bounds)).ask('a'), [{ kind: 'unknown' }]);
  }
});

t.test('journal: ids that have no room are forgotten, and none of them is taken again', async t => {
  const w = await world(new FakeDisk(), { ids: 20 });
  for (let i = 0; i < 40; i++) {
    await w.run(`c${i}`, { expiresInMs: 10 * MINUTE });
    w.journal.confirm([`c${i}`]);
    await w.clock.advance(2 * MINUTE);
  }
  for (let i = 0; i < 40; i++) w.ask(`c${i}`, { expiresInMs: 10 * MINUTE - (40 - i) * 2 * MINUTE });
  await settle();
  t.same([...w.runs.values()], Array(40).fill(1));
});

t.test('journal: new ids of the usual time are taken although others had to be forgotten', async t => {
  const w = await world(new FakeDisk(), { ids: 20 });
  const refused: string[] = [];
  for (let i = 0; i < 100; i++) {
    const outcome = await w.run(`c${i}`);
    if (outcome.kind === 'refused') refused.push(`c${i}`);
    w.journal.confirm([`c${i}`]);
    await w.clock.advance(10_000);
  }
  t.same(refused, []);
});

t.test('journal: what is old is forgotten', async t => {
  const w = await world();
  await w.run('a', { expiresInMs: MINUTE });
  await w.run('b', { expiresInMs: MINUTE });
  w.journal.confirm(['b']);
  await w.clock.advance(3 * MINUTE);
  t.same(w.kept(), ['a'], 'answers are kept for longer than their id is given');
  t.ok(w.disk.content);
  await w.run('c');
  await w.clock.advance(58 * MINUTE);
  t.same(w.kept(), ['c']);
});

// ---- at most once

t.test('journal: whatever fails and whenever the process ends, nothing is carried out twice (40 seeds)', async t => {
  const wrong: string[] = [];
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededRandom(seed);
    const int = (below: number) => Math.floor(random.uniform() * below);
    const bounds = { commands: 6, bytes: 2_000, ids: 12 };
    let w = await world(new FakeDisk(), bounds);
    /** When the server gave each id: it gives none for longer than 10 minutes. */
    const given = new Map<string, number>();
    const confirmed = new Set<string>();
    let serial = 0;
    for (let step = 0; step < 120; step++) {
      const ids = [...given].filter(([, at]) => w.clock.now() < at + 10 * MINUTE).map(([id]) => id);
      const some = ids[int(ids.length)];
      switch (int(8)) {
        case 0:
        case 1:
        case 2: {
          const id = some !== undefined && int(2) === 0 ? some : `s${serial++}`;
          if (!given.has(id)) given.set(id, w.clock.now());
          const left = (given.get(id) ?? 0) + 10 * MINUTE - w.clock.now();
          for (const outcome of w.ask(id, { expiresInMs: left })) {
            if (outcome.kind === 'answered' && !outcome.answers.includes(`x.${id}"`)) wrong.push(`${seed}: ${id}`);
          }
          break;
        }
        case 3:
        case 4:
          if (some !== undefined) w.end(some);
          break;
        case 5:
          if (some !== undefined && !w.kept().includes(`${some}?`) && w.kept().includes(some)) {
            w.journal.confirm([some]);
            confirmed.add(some);
          }
          break;
        case 6:
          w.disk.writeFailure = int(3) === 0 ? 'EIO' : undefined;
          w.disk.tornBytes = int(60);
          break;
        case 7:
          if (int(3) === 0) w = await next(w, bounds);
          else await w.clock.advance(int(2 * MINUTE));
          break;
      }
      if (int(2) === 0) await settle();
      if (w.kept().length > bounds.commands) wrong.push(`${seed}: too much is kept`);
    }
    for (const [id, runs] of w.runs) if (runs > 1) wrong.push(`${seed}: ${id} ran ${runs} times`);
  }
  t.same(wrong, []);
});
