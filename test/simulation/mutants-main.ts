// npm run simulate:mutants: each deliberate fault, in a copy of the program, has to be found by the simulation.
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import ts from 'typescript';
import { readArguments, wholeNumber } from '../../scripts/programs/arguments.js';
import { ProgressBar } from '../helpers/progress-bar.js';
import { ROOT } from '../helpers/root.js';
import { type ProgramLife, runProgram } from '../helpers/test-program.js';
import { MUTANTS, type Mutant } from './mutants.js';
import { runSeeds } from './run-seeds.js';
import type { WorldOutcome } from './world-pool.js';

const USAGE = `usage: npm run simulate:mutants [-- [--seeds N] [TEXT …]]

  --seeds N   how many worlds at most for each fault (1000)
  TEXT        only faults with this in their name; all names:

${MUTANTS.map(({ name }) => `  ${name}`).join('\n')}
`;

interface Row {
  readonly mutant: Mutant;
  /** Undefined: all worlds held. */
  readonly found: WorldOutcome | undefined;
}

const { seeds, wanted } = readArguments(USAGE, () => {
  const { values, positionals } = parseArgs({
    options: { seeds: { type: 'string', default: '1000' } },
    allowPositionals: true,
  });
  for (const text of positionals)
    if (!MUTANTS.some(({ name }) => name.includes(text))) throw new Error(`No fault has "${text}" in its name.`);
  return {
    seeds: wholeNumber('--seeds', values.seeds, 1, 10 ** 9),
    wanted: MUTANTS.filter(({ name }) => positionals.length === 0 || positionals.some(text => name.includes(text))),
  };
});

await runProgram(async life => {
  const rows: Row[] = [];
  // Whoever interrupts it gets what was seen until then.
  life.teardown(() => rows.length > 0 && process.stdout.write(`\n${tableOf(rows)}`));
  for (const mutant of wanted) {
    const found = await findingOf(mutant, life);
    rows.push({ mutant, found });
    console.log(
      found === undefined
        ? `MISSED  ${mutant.name}: ${seeds} worlds held`
        : `found   ${mutant.name}: seed ${found.seed}: ${firstLineOf(found)}`,
    );
  }
  return rows.every(({ found }) => found !== undefined) ? 0 : 1;
});

async function findingOf(mutant: Mutant, life: ProgramLife): Promise<WorldOutcome | undefined> {
  const copy = await life.folder('muster-mutant-');
  const bar = new ProgressBar(seeds);
  try {
    for (const folder of ['dist', 'build', 'recordings'])
      cpSync(join(ROOT, folder), join(copy, folder), { recursive: true, verbatimSymlinks: true });
    cpSync(join(ROOT, 'package.json'), join(copy, 'package.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    writeFileSync(join(copy, 'dist', mutant.file.replace(/\.ts$/, '.js')), mutated(mutant));
    const worker = join(copy, 'build/test/simulation/seed-worker.js');
    let done = 0;
    const onOutcome = () => {
      done++;
      bar.tell(done, `${(done / bar.seconds).toFixed(1)} worlds/s  ${mutant.name}`);
    };
    // Its processes end with this one.
    const running = runSeeds({ from: 1, count: seeds, rules: {}, worker, onOutcome });
    return await Promise.race([running, life.aborted]);
  } finally {
    bar.end();
    rmSync(copy, { recursive: true, force: true });
  }
}

/** The compiled file with the fault. @throws Error: the program has changed, and the mutant has not */
function mutated({ name, file, from, to }: Mutant): string {
  const source = readFileSync(join(ROOT, 'src', file), 'utf8');
  const parts = source.split(from);
  if (parts.length !== 2)
    throw new Error(`the mutant "${name}" does not fit: src/${file} has its text ${parts.length - 1} times`);
  const { outputText } = ts.transpileModule(parts.join(to), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
    fileName: file,
  });
  return outputText;
}

/** For docs/testing.md. */
function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(({ mutant, found }) => {
    const what = found === undefined ? ['-', `not found in ${seeds} worlds`] : [found.seed, firstLineOf(found)];
    return `| ${[mutant.name, ...what].join(' | ')} |`;
  });
  return ['| fault | seed | what did not hold |', '|---|---|---|', ...lines, ''].join('\n');
}

function firstLineOf({ failure = '' }: WorldOutcome): string {
  return failure.split('\n')[0]?.replaceAll('|', '\\|') ?? '';
}
