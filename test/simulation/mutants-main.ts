// npm run simulate:mutants: each deliberate fault, in a copy of the program, has to be found by the simulation.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { ROOT } from '../helpers/root.js';
import { MUTANTS, type Mutant } from './mutants.js';
import { runSeeds } from './run-seeds.js';

const MOST_SEEDS = 1_000;
const wanted = process.argv.slice(2);

let missed = 0;
for (const mutant of MUTANTS) {
  if (wanted.length > 0 && !wanted.some(text => mutant.name.includes(text))) continue;
  const found = await findingOf(mutant);
  if (found === undefined) missed++;
  console.log(
    found === undefined
      ? `MISSED  ${mutant.name}: ${MOST_SEEDS} worlds held`
      : `found   ${mutant.name}: seed ${found.seed}: ${found.failure?.split('\n')[0]}`,
  );
}
process.exitCode = missed === 0 ? 0 : 1;

async function findingOf(mutant: Mutant) {
  const copy = mkdtempSync(join(tmpdir(), 'muster-mutant-'));
  try {
    for (const folder of ['dist', 'build', 'recordings'])
      cpSync(join(ROOT, folder), join(copy, folder), { recursive: true, verbatimSymlinks: true });
    cpSync(join(ROOT, 'package.json'), join(copy, 'package.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    writeFileSync(join(copy, 'dist', mutant.file.replace(/\.ts$/, '.js')), mutated(mutant));
    const worker = join(copy, 'build/test/simulation/seed-worker.js');
    return await runSeeds({ from: 1, count: MOST_SEEDS, rules: {}, worker });
  } finally {
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
