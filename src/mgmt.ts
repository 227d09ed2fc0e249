#!/usr/bin/env node
import { runEntry } from './program/entry.js';

await runEntry({ defaultFile: 'conf/mgmt.properties', load: () => import('./mgmt/main.js') });
