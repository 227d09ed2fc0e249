#!/usr/bin/env node
import { AGENT_KEYS, DEFAULT_AGENT_FILE, startAgent } from './agent/index.js';
import { runEntry } from './lib/entry.js';

await runEntry({
  name: 'agent',
  defaultFile: DEFAULT_AGENT_FILE,
  summary: 'The agent on a hypervisor: keeps one Ready link to a management server of its host list.',
  settings: Object.entries(AGENT_KEYS),
  start: ({ file = DEFAULT_AGENT_FILE, settings }) => startAgent({ file, overrides: Object.fromEntries(settings) }),
});
