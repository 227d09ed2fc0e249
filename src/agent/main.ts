import type { Program } from '../program/entry.js';
import { AGENT_KEYS } from './settings.js';
import { startAgent } from './start-agent.js';

/** Each key with its meaning, for `--help`. */
export const settings: Program['settings'] = Object.entries(AGENT_KEYS);

export const start: Program['start'] = ({ file, settings }) =>
  startAgent({ ...(file !== undefined && { file, fileMustExist: true }), overrides: Object.fromEntries(settings) });
