#!/usr/bin/env node
import { runEntry } from './program/entry.js';

await runEntry({ defaultFile: 'conf/fleet.properties', load: () => import('./fleet/main.js') });
