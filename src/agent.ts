#!/usr/bin/env node
import { runEntry } from './program/entry.js';

await runEntry({
  name: 'agent',
  defaultFile: 'conf/agent.properties',
  summary: 'The agent on a hypervisor: keeps one Ready link to a management server of its host list.',
  load: () => import('./agent/main.js'),
});
