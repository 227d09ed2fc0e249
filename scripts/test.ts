// npm test: runs test files, each in a process of its own, and prints TAP, with a summary of what failed at the end.
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { endAll, Process } from './galera/processes.js';
import { readArguments, wholeNumber } from './programs/arguments.js';

const USAGE = `Runs test files, each in a process of its own, and prints TAP.

Usage: npm test [-- [--jobs N] [PATH …]]

  --jobs N   how many run at the same time; by default one more than the machine has processors, since many wait
  --brief    of a file that passes, only its own line; so it is on a terminal
  PATH       a test file or a folder of them; by default all but test/e2e, which takes minutes
`;

const root = fileURLToPath(new URL('../../', import.meta.url));

const WITHOUT_HOOKS = new URL('../test/helpers/no-async-hooks.js', import.meta.url).href;
/** Each file's time until tap ends it, where neither it nor `TAP_TIMEOUT` sets another, in seconds. */
const TIMEOUT_SECONDS = 300;
/** Past this a process has not even listened to tap. */
const KILL_AFTER_MS = 20 * 60_000;

/** Where the files are that take longest. */
const LONG = [
  'test/simulation/',
  'test/scenarios/',
  'test/mgmt/store/',
  'test/mgmt/entry',
  'test/library/',
  'test/examples/',
  'test/mgmt/jobs/',
  'test/mgmt/lists/',
  'test/mgmt/http/',
  'test/agent/',
];

/** Collects what failed from lines of TAP. */
export function tapFailures(): { read(line: string): void; readonly failures: readonly string[] } {
  const failures: string[] = [];
  /** Names of the subtests that are open, by depth. */
  let open: string[] = [];
  let lastDepth = 0;
  return {
    failures,
    read(line) {
      const [, indent = '', name] = /^( *)# Subtest: (.*)$/.exec(line) ?? [];
      if (name !== undefined) {
        // TAP14 announces a subtest at its own depth or at that of its parent: what is deeper has ended.
        open = open.slice(0, indent.length / 4);
        open[indent.length / 4] = name;
        return;
      }
      const [, at = '', what] = /^( *)not ok \d+ - (?!.*# (?:TODO|SKIP))(.*?)(?: # time=.*)?$/.exec(line) ?? [];
      if (what === undefined) return;
      const depth = at.length / 4;
      // The line of a subtest or file follows those of its assertions: it says nothing new.
      if (depth >= lastDepth || failures.length === 0) failures.push([...open.slice(0, depth), what].join(' > '));
      lastDepth = depth;
    },
  };
}

export interface FileResult {
  readonly isPassed: boolean;
  readonly output: string;
  readonly tookMs: number;
}

export interface RunFileOptions {
  /** @default none */
  readonly args?: readonly string[];
  /** Stacks name lines of TypeScript, which takes a while to load. @default false */
  readonly hasSourceMaps?: boolean;
}

/** @param file relative to the root of the project */
export async function runFile(file: string, { args = [], hasSourceMaps = false }: RunFileOptions): Promise<FileResult> {
  const startedAt = performance.now();
  const compiled = join(root, 'build', file.replace(/\.ts$/, '.js'));
  const flags = [...(hasSourceMaps ? ['--enable-source-maps'] : []), '--import', WITHOUT_HOOKS];
  const child = new Process(process.execPath, [...flags, compiled, ...args], {
    cwd: root,
    env: { TAP_TIMEOUT: `${TIMEOUT_SECONDS}`, ...process.env, TAP: '1', TAP_OMIT_VERSION: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.stdout === null) throw new Error('a test has no stdout');
  const output = text(child.stdout);
  const timer = setTimeout(() => void child.kill(), KILL_AFTER_MS);
  const end = await child.ended;
  clearTimeout(timer);
  // Also what it has started, and left behind.
  await child.kill();
  return { isPassed: end === 0, output: await output, tookMs: performance.now() - startedAt };
}

/** As TAP: a subtest, and the line that sums it up. */
function asSubtest(file: string, { isPassed, output, tookMs }: FileResult, number: number, isBrief: boolean): string {
  const sum = `${isPassed ? 'ok' : 'not ok'} ${number} - ${file} # time=${Math.round(tookMs)}ms\n`;
  if (isPassed && isBrief) return sum;
  return `# Subtest: ${file}\n${output.trimEnd().replace(/^(?=.)/gm, '    ')}\n${sum}\n`;
}

function testFiles(paths: readonly string[]): readonly string[] {
  const all = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.test.ts'))
    .map(file => `test/${file.replaceAll('\\', '/')}`)
    .sort();
  if (paths.length === 0) return all.filter(file => !file.startsWith('test/e2e/'));
  return paths.flatMap(path => {
    const found = all.filter(file => file === path || file.startsWith(`${path.replace(/\/$/, '')}/`));
    if (found.length === 0) throw new Error(`There is no test file ${path}.`);
    return found;
  });
}

/**
 * A file that takes a minute and begins last keeps one processor waiting for the other. What takes long has processes, databases,
 * packages or whole worlds in it; how long each takes is not written down anywhere.
 */
function longestFirst(files: readonly string[]): string[] {
  const rank = (file: string) => LONG.findIndex(folder => file.startsWith(folder)) >>> 0;
  return files.toSorted((one, other) => rank(one) - rank(other));
}

async function run(): Promise<void> {
  const { isBrief, jobs, files, hasSourceMaps } = readArguments(USAGE, () => {
    const { values, positionals } = parseArgs({
      options: { jobs: { type: 'string' }, brief: { type: 'boolean' } },
      allowPositionals: true,
    });
    return {
      isBrief: values.brief ?? process.stdout.isTTY,
      jobs: wholeNumber('--jobs', values.jobs ?? String(availableParallelism() + 1), 1, 1_000),
      files: testFiles(positionals),
      // Who names a file is looking for a fault in it.
      hasSourceMaps: positionals.length > 0,
    };
  });
  const waiting = longestFirst(files);
  const found = tapFailures();
  const startedAt = performance.now();
  let ended = 0;
  const worker = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const result = await runFile(file, { hasSourceMaps });
      ended++;
      if (!result.isPassed) process.exitCode = 1;
      const tap = asSubtest(file, result, ended, isBrief);
      for (const line of tap.split('\n')) found.read(line);
      process.stdout.write(tap);
    }
  };
  process.stdout.write(`TAP version 14\n1..${files.length}\n`);
  await Promise.all(Array.from({ length: jobs }, worker));
  process.stdout.write(`# ${files.length} files in ${Math.round((performance.now() - startedAt) / 1000)} s\n`);
  if (found.failures.length > 0) process.stdout.write(`\nWhat failed:\n  ${found.failures.join('\n  ')}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.on('exit', () => void endAll());
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
  run().catch((error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
}
