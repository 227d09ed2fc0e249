import type { Program } from '../program/entry.js';
import { AGENT_KEYS } from './settings.js';
import { startAgent } from './start-agent.js';

export const summary: Program['summary'] =
  'The agent on a hypervisor: keeps one Ready link to a management server of its host list.';

/** Each key with its meaning, for `--help`. */
export const settings: Program['settings'] = Object.entries(AGENT_KEYS);

export const start: Program['start'] = ({ file, settings }) =>
  startAgent({ ...(file !== undefined && { file, fileMustExist: true }), overrides: Object.fromEntries(settings) });
