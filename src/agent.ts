#!/usr/bin/env node
import { runEntry } from './program/entry.js';

await runEntry({ defaultFile: 'conf/agent.properties', load: () => import('./agent/main.js') });
