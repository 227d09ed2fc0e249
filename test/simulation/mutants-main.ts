// npm run simulate:mutants: each deliberate fault, in a copy of the program, has to be found by the simulation.
import { cpSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import ts from 'typescript';
import { readArguments, wholeNumber } from '../../scripts/programs/arguments.js';
import { ProgressBar } from '../helpers/progress-bar.js';
import { ROOT } from '../helpers/root.js';
import { type ProgramLife, runProgram } from '../helpers/test-program.js';
import { FINDS, type Find, worldOfFind } from './finds.js';
import { MUTANTS, type Mutant, mutated } from './mutants.js';
import { runSeeds } from './run-seeds.js';
import { type WorldOutcome, WorldPool } from './world-pool.js';

const USAGE = `usage: npm run simulate:mutants [-- [--seeds N] [TEXT …]]

  --seeds N   how many worlds at most for each fault that no plan of a find shows (1000)
  TEXT        only faults with this in their name; all names:

${MUTANTS.map(({ name }) => `  ${name}`).join('\n')}
`;

interface Row {
  readonly mutant: Mutant;
  readonly found: Finding;
}

/** What has found a fault. */
type Finding =
  | { readonly kind: 'plan'; readonly find: Find; readonly outcome: WorldOutcome }
  | { readonly kind: 'seed'; readonly outcome: WorldOutcome }
  | { readonly kind: 'leaks'; readonly outcome: WorldOutcome }
  | { readonly kind: 'missed'; readonly why: string };

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
    const row = { mutant, found };
    rows.push(row);
    const [by, what] = textsOf(row);
    console.log(`${found.kind === 'missed' ? 'MISSED' : 'found '}  ${mutant.name}: ${by}: ${what}`);
  }
  return rows.every(({ found }) => found.kind !== 'missed') ? 0 : 1;
});

async function findingOf(mutant: Mutant, life: ProgramLife): Promise<Finding> {
  const copy = await life.folder('muster-mutant-');
  try {
    for (const folder of ['dist', 'build', 'recordings'])
      cpSync(join(ROOT, folder), join(copy, folder), { recursive: true, verbatimSymlinks: true });
    cpSync(join(ROOT, 'package.json'), join(copy, 'package.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    writeFileSync(join(copy, 'dist', mutant.file.replace(/\.ts$/, '.js')), compiled(mutant));
    const worker = join(copy, 'build/test/simulation/seed-worker.js');
    return await Promise.race([finding(mutant, worker), life.aborted]);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** The plans of the finds are tried first, that of the mend that it undoes before the others. Its processes end with this one. */
async function finding(mutant: Mutant, worker: string): Promise<Finding> {
  const isItsOwn = ({ undone }: Find) => undone === mutant.name;
  const pool = new WorldPool({ worker });
  try {
    if (mutant.isLeak) {
      const outcome = await pool.run({ seed: 1, rules: {}, isForLeaks: true });
      return outcome.failure === undefined ? { kind: 'missed', why: 'nothing grows' } : { kind: 'leaks', outcome };
    }
    for (const find of FINDS.toSorted((one, other) => Number(isItsOwn(other)) - Number(isItsOwn(one)))) {
      const outcome = await pool.run(worldOfFind(find));
      if (outcome.failure !== undefined) return { kind: 'plan', find, outcome };
      if (isItsOwn(find)) return { kind: 'missed', why: `its own plan held: ${find.name}` };
    }
  } finally {
    pool.close();
  }
  const outcome = await firstOfSeeds(mutant, worker);
  return outcome === undefined ? { kind: 'missed', why: `${seeds} worlds held` } : { kind: 'seed', outcome };
}

async function firstOfSeeds({ name }: Mutant, worker: string): Promise<WorldOutcome | undefined> {
  const bar = new ProgressBar(seeds);
  let done = 0;
  const onOutcome = () => {
    done++;
    bar.tell(done, `${(done / bar.seconds).toFixed(1)} worlds/s  ${name}`);
  };
  try {
    return await runSeeds({ from: 1, count: seeds, rules: {}, worker, onOutcome });
  } finally {
    bar.end();
  }
}

/** The compiled file with the fault. */
function compiled(mutant: Mutant): string {
  const { outputText } = ts.transpileModule(mutated(mutant), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
    fileName: mutant.file,
  });
  return outputText;
}

/** For docs/testing.md. */
function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(row => `| ${[row.mutant.name, ...textsOf(row)].join(' | ')} |`);
  return ['| fault | found by | what did not hold |', '|---|---|---|', ...lines, ''].join('\n');
}

function textsOf({ found }: Row): readonly [by: string, what: string] {
  if (found.kind === 'missed') return ['-', found.why];
  const what = found.outcome.failure?.split('\n')[0]?.replaceAll('|', '\\|') ?? '';
  if (found.kind === 'leaks') return ['what has grown in memory', what];
  return [found.kind === 'plan' ? `the plan of: ${found.find.name}` : `seed ${found.outcome.seed}`, what];
}
