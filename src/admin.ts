#!/usr/bin/env node
import { homedir } from 'node:os';
import { call } from './admin/client.js';
import { runAdmin } from './admin/main.js';
import { systemClock } from './lib/clock.js';
import { systemRandom } from './lib/random.js';

// A reader such as `head -1` closes the pipe early: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

process.exitCode = await runAdmin(process.argv.slice(2), {
  clock: systemClock,
  environment: process.env,
  home: homedir(),
  width: () => (process.stdout.isTTY ? process.stdout.columns : undefined),
  out: text => void process.stdout.write(text),
  err: text => void process.stderr.write(text),
  call: (keyPair, command, params) => call(keyPair, command, params, { clock: systemClock, random: systemRandom }),
  onInterrupt(text, exitCode) {
    process.removeAllListeners('SIGINT');
    process.on('SIGINT', () => {
      process.stderr.write(text);
      process.exit(exitCode);
    });
  },
});
