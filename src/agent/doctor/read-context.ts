import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.js';
import { ConfigError } from '../../lib/errors.js';
import { readProperties } from '../agent-properties.js';
import { type AgentSettings, readSettings } from '../settings.js';
import { type Folder, readFolder } from '../trust/folder.js';
import { bundleIn } from '../trust/judge.js';
import type { CheckContext, KnownCaFound, PropertiesFound } from './check.js';

/** Reads what the checks look at. Nothing that is missing or wrong is an error here. */
export async function readContext(folder: string, clock: Clock): Promise<CheckContext> {
  const { properties, settings } = await readAgentProperties(join(folder, 'agent.properties'));
  const certificates = await readFolder(folder);
  const knownCa = knownCaIn(certificates, join(folder, 'cloud.ca.crt'));
  return { folder, clock, properties, settings, knownCa, certificates };
}

async function readAgentProperties(
  path: string,
): Promise<{ properties: PropertiesFound; settings: AgentSettings | undefined }> {
  const { document, error: readError } = await readProperties(path);
  const stats = await stat(path).catch(() => undefined);
  const found = { path, stats, readError };
  if (stats === undefined || readError !== undefined) {
    return { properties: { ...found, wrongValue: undefined }, settings: undefined };
  }
  try {
    const settings = readSettings(key => document.get(key));
    return { properties: { ...found, wrongValue: undefined }, settings };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { properties: { ...found, wrongValue: error }, settings: undefined };
  }
}

function knownCaIn({ 'cloud.ca.crt': file }: Folder, path: string): KnownCaFound {
  if (file === undefined) return { path, bundle: [], error: 'none' };
  try {
    if (file.unreadable !== undefined) throw new Error(file.unreadable);
    return { path, bundle: bundleIn(file.text, path), error: undefined };
  } catch (error) {
    return { path, bundle: [], error };
  }
}
