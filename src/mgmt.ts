#!/usr/bin/env node
import { runEntry } from './program/entry.js';

await runEntry({
  name: 'mgmt',
  defaultFile: 'conf/mgmt.properties',
  summary: 'A management server: agents register with it, and get their list of management servers from it.',
  load: () => import('./mgmt/main.js'),
});
