import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { ProgramProcess } from './program-process.js';

const ENTRY = fileURLToPath(import.meta.resolve('#dist/agent.js'));

/** The real agent, built, in a process of its own. Its files are in `cwd`. */
export class AgentProcess extends ProgramProcess {
  /**
   * @param settings what its properties file begins with
   * @param env what its environment has beside PATH
   */
  constructor(
    t: Test,
    cwd: string,
    settings: Readonly<Record<string, string | number>>,
    env: Readonly<Record<string, string>> = {},
  ) {
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(join(cwd, 'agent.properties'), lines.join(''), { mode: 0o600 });
    super(t, ENTRY, cwd, ['agent.properties'], env);
  }
}
