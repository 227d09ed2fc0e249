#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { call } from './admin/client.js';
import { runAdmin } from './admin/main.js';
import { systemClock } from './lib/clock.js';
import { EXIT_CODES } from './lib/errors.js';
import { systemRandom } from './lib/random.js';
import { calledAs } from './lib/text/called-as.js';

// A reader such as `head -1` closes the pipe early: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

/** Where the packages of Debian have it. */
const INSTALLED_FILE = '/etc/muster/mgmt.properties';

process.exitCode = await runAdmin(process.argv.slice(2), {
  program: calledAs(process.argv[1]),
  clock: systemClock,
  environment: process.env,
  home: homedir(),
  width: () => (process.stdout.isTTY ? process.stdout.columns : undefined),
  out: text => void process.stdout.write(text),
  err: text => void process.stderr.write(text),
  call: (keyPair, command, params) => call(keyPair, command, params, { clock: systemClock, random: systemRandom }),
  backup(folder, file = existsSync(INSTALLED_FILE) ? INSTALLED_FILE : undefined) {
    // Not every installation has it.
    const program = fileURLToPath(new URL('./mgmt.js', import.meta.url));
    if (!existsSync(program)) return undefined;
    const args = [program, ...(file === undefined ? [] : [file]), `backup.to=${folder}`];
    const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
    return status ?? EXIT_CODES.fatal;
  },
  onInterrupt(text, exitCode) {
    process.removeAllListeners('SIGINT');
    process.on('SIGINT', () => {
      process.stderr.write(text);
      process.exit(exitCode);
    });
  },
});
