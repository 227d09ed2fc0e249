import type { X509Certificate } from 'node:crypto';
import type { Stats } from 'node:fs';
import type { Clock } from '../../lib/clock.js';
import type { ConfigError } from '../../lib/errors.js';
import type { AgentSettings } from '../settings.js';
import type { Folder } from '../trust/folder.js';
import type { HostDials } from './dial-hosts.js';
import type { Finding } from './finding.js';

/** One question about an agent's folder or servers. A check changes nothing. */
export interface Check {
  readonly name: string;
  /** Yields its findings as it goes: some wait for the network. */
  run(context: CheckContext): AsyncIterable<Finding>;
}

/** What all checks look at, read once. */
export interface CheckContext {
  readonly folder: string;
  readonly clock: Clock;
  readonly properties: PropertiesFound;
  /** Undefined when agent.properties cannot be read, or has a value that the agent does not start with. */
  readonly settings: AgentSettings | undefined;
  readonly knownCa: KnownCaFound;
  /** The certificates that lie beside agent.properties. */
  readonly certificates: Folder;
  /** Undefined without settings. */
  readonly dials: HostDials | undefined;
}

export interface PropertiesFound {
  readonly path: string;
  /** Undefined when there is no such file. */
  readonly stats: Stats | undefined;
  readonly readError: unknown;
  /** The value that the agent does not start with. */
  readonly wrongValue: ConfigError | undefined;
}

export interface KnownCaFound {
  readonly path: string;
  /** Empty when the file is missing or cannot be used. */
  readonly bundle: readonly X509Certificate[];
  /** Why it cannot be used; `none` when there is none. */
  readonly error: unknown;
}
