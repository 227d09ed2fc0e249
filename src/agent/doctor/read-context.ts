import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sharedAbortController } from '../../lib/abort.js';
import type { Clock } from '../../lib/clock.js';
import { ConfigError } from '../../lib/errors.js';
import { readProperties } from '../agent-properties.js';
import { tcpDialer } from '../dial/dialer.js';
import { type AgentSettings, readSettings } from '../settings.js';
import { type Folder, readFolder } from '../trust/folder.js';
import { inspectionOf } from '../trust/inspection.js';
import { bundleIn } from '../trust/judge.js';
import { ownCertificateOf } from '../trust/own-certificate.js';
import type { CheckContext, KnownCaFound, PropertiesFound } from './check.js';
import type { HostDials } from './dial-hosts.js';

/** Settings of an agent's command line, by key: they hold in place of the file's. */
export type GivenSettings = ReadonlyMap<string, string>;

/** Reads what the checks look at. Nothing that is missing or wrong is an error here. */
export async function readContext(folder: string, clock: Clock, given: GivenSettings): Promise<CheckContext> {
  const { properties, settings } = await readAgentProperties(join(folder, 'agent.properties'), given);
  const certificates = await readFolder(folder);
  const knownCa = knownCaIn(certificates, join(folder, 'cloud.ca.crt'));
  const dials = settings && dialsOf(settings, knownCa, certificates, clock);
  return { folder, clock, properties, settings, knownCa, certificates, dials };
}

function dialsOf(settings: AgentSettings, { bundle }: KnownCaFound, certificates: Folder, clock: Clock): HostDials {
  const { list, lastCompleted, port, handshakeTimeoutMs, enrolmentToken } = settings;
  const read = ownCertificateOf(certificates);
  const own = read !== undefined && 'own' in read ? read.own : undefined;
  return {
    ...{ port, handshakeTimeoutMs, clock },
    hosts: [...new Set([...list.hosts, ...(lastCompleted?.hosts ?? [])])],
    dialer: tcpDialer({ clock }),
    inspection: inspectionOf({ clock, bundle, own, token: enrolmentToken }),
    signal: sharedAbortController().signal,
  };
}

async function readAgentProperties(
  path: string,
  given: GivenSettings,
): Promise<{ properties: PropertiesFound; settings: AgentSettings | undefined }> {
  const { document, error: readError } = await readProperties(path);
  const stats = await stat(path).catch(() => undefined);
  const found = { path, stats, readError };
  if (stats === undefined || readError !== undefined) {
    return { properties: { ...found, wrongValue: undefined }, settings: undefined };
  }
  try {
    const settings = readSettings(key => given.get(key) ?? document.get(key));
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
