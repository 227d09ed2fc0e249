import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Test } from 'tap';
import ts from 'typescript';
import { ROOT } from './root.js';

const run = promisify(execFile);

/** What a program has said, and how it has ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A project of somebody else's: it has the packed package, as npm would install it, and nothing of this one. */
export class ConsumerProject {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** In a new folder below this project, where the package finds what it depends on. */
  static async make(t: Test): Promise<ConsumerProject> {
    const folder = t.testdir();
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
    const { stdout } = await run('npm', pack, { cwd: ROOT });
    const [{ filename }] = JSON.parse(stdout);
    const installed = join(folder, 'node_modules', 'muster');
    mkdirSync(installed, { recursive: true });
    await run('tar', ['-xzf', join(folder, filename), '-C', installed, '--strip-components=1']);
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    return new ConsumerProject(folder);
  }

  /** Compiles files, strictly, and with the declarations of the package checked as well. @returns what is wrong */
  compile(sources: ReadonlyMap<string, string>): readonly string[] {
    const files = [...sources].map(([name, source]) => {
      const file = join(this.folder, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, source);
      return file;
    });
    const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.base.json'), ts.sys.readFile);
    const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, this.folder);
    const program = ts.createProgram(files, { ...options, skipLibCheck: false });
    const { diagnostics } = program.emit();
    return [...ts.getPreEmitDiagnostics(program), ...diagnostics].map(({ messageText, file, start = 0 }) => {
      const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1;
      return `${file?.fileName}:${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
  }

  /** Runs Node in the project's folder, or in one below it. */
  node(args: readonly string[], below = '.'): Promise<Ended> {
    const options = { cwd: join(this.folder, below), env: { PATH: process.env.PATH ?? '' } };
    return new Promise(resolve => {
      execFile(process.execPath, args, options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      });
    });
  }
}

/** The text of a file of this project. */
export function projectFile(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}
