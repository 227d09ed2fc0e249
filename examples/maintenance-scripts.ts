// A resource that runs maintenance scripts on its machine: those of the list below, and nothing else. In agent.properties:
//
//     resource=/opt/muster/maintenance-scripts.js
//
// and from anywhere
//
//     node dist/admin.js sendCommand all=true class=com.example.RunScriptCommand fields='{"script":"clean-cache"}' wait=120
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { answer, command, integer, text, textList } from 'muster';
import { type CommandContext, defineResource, typedCommand } from 'muster/agent';

/** Only root should be able to write to it. */
const FOLDER = process.env.MAINTENANCE_SCRIPTS ?? '/usr/local/lib/maintenance';
/** Each takes no arguments, so that nothing from outside gets into one. `limitSeconds` has to be below the command's `wait`. */
const SCRIPTS = new Map([
  ['clean-cache', { file: 'clean-cache.sh', limitSeconds: 60 }],
  ['rotate-logs', { file: 'rotate-logs.sh', limitSeconds: 30 }],
  ['trim-disks', { file: 'trim-disks.sh', limitSeconds: 1_800 }],
]);
/** Of what a script prints, its end is kept. */
const MOST_OUTPUT = 16_384;

const ListScriptsCommand = command('com.example.ListScriptsCommand', {});
const ListScriptsAnswer = answer('com.example.ListScriptsAnswer', { scripts: textList });
const RunScriptCommand = command('com.example.RunScriptCommand', { script: text });
const RunScriptAnswer = answer('com.example.RunScriptAnswer', { exitCode: integer, seconds: integer, output: text });

interface Ended {
  /** -1 when it was killed. */
  readonly exitCode: number;
  readonly output: string;
  /** Why it was killed. */
  readonly killedFor: string | undefined;
}

/** Runs a script to its end, or kills it with all that it has started. Rejects when it cannot be started. */
function run(file: string, limitSeconds: number, { signal, progress }: CommandContext): Promise<Ended> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    let output = '';
    let killedFor: string | undefined;
    // A process group of its own. Of the agent's environment, which may have secrets, it gets nothing.
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
    const child = spawn(join(FOLDER, file), [], { cwd: '/', env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const kill = (why: string) => {
      if (child.pid === undefined || killedFor !== undefined) return;
      killedFor = why;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    };
    const onAbort = () => kill('nobody waits for it any more');
    signal.addEventListener('abort', onAbort, { once: true });
    const timer = setTimeout(() => kill(`it has taken more than ${limitSeconds} s`), limitSeconds * 1_000);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output = `${output}${chunk}`.slice(-MOST_OUTPUT);
        progress(output.trimEnd().split('\n').at(-1) ?? '');
      });
    }
    child.on('error', reject);
    child.on('close', code => resolve({ exitCode: code ?? -1, output, killedFor }));
    child.on('close', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    });
  });
}

const running = new Set<string>();

export default defineResource({
  name: 'MaintenanceScripts',
  commands: {
    [ListScriptsCommand.type]: typedCommand(ListScriptsCommand, ListScriptsAnswer, () => {
      return { result: true, scripts: [...SCRIPTS.keys()] };
    }),
    [RunScriptCommand.type]: typedCommand(RunScriptCommand, RunScriptAnswer, async ({ script = '' }, context) => {
      const known = SCRIPTS.get(script);
      if (known === undefined) throw new Error(`there is no script ${script}: ${[...SCRIPTS.keys()].join(', ')}`);
      if (running.has(script)) throw new Error(`${script} is running already`);
      running.add(script);
      const startedAt = performance.now();
      try {
        const { exitCode, output, killedFor } = await run(known.file, known.limitSeconds, context);
        const seconds = Math.round((performance.now() - startedAt) / 1_000);
        const details = killedFor === undefined ? `exit code ${exitCode}` : `killed: ${killedFor}`;
        return { result: exitCode === 0, details, exitCode, seconds, output };
      } finally {
        running.delete(script);
      }
    }),
  },
});
