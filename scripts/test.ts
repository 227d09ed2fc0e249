// npm test: tap, with a summary of what failed at the end where the output is no terminal, as in a CI log.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

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

function run(): void {
  const tap = fileURLToPath(new URL('../../node_modules/.bin/tap', import.meta.url));
  const isTerminal = process.stdout.isTTY === true;
  const child = spawn(tap, process.argv.slice(2), { stdio: ['inherit', isTerminal ? 'inherit' : 'pipe', 'inherit'] });
  const found = tapFailures();
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', line => {
      process.stdout.write(`${line}\n`);
      found.read(line);
    });
  }
  child.on('close', code => {
    if (found.failures.length > 0) process.stdout.write(`\nWhat failed:\n  ${found.failures.join('\n  ')}\n`);
    process.exitCode = code ?? 1;
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) run();
