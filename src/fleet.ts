#!/usr/bin/env node
import { runEntry } from './program/entry.js';

await runEntry({
  name: 'fleet',
  defaultFile: 'conf/fleet.properties',
  summary: 'Many agents in one process, for load tests and demonstrations, against Muster or CloudStack.',
  load: () => import('./fleet/main.js'),
});
