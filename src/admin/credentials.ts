import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { propertiesReader } from 'properties-reader';
import { ConfigError, codeOf, reasonOf } from '../lib/errors.js';

/** Where the API is, and what to sign requests with. */
export interface Credentials {
  readonly endpoint: string;
  readonly key: string;
  readonly secret: string;
  /** Where they were found, for messages. */
  readonly source: string;
}

/** A server's `cloudstack.ini` lies in its `data.dir`. */
const IN_DATA_DIR = join('data', 'cloudstack.ini');
const SECTION = 'cloudstack';

/**
 * The first of: the file named, the environment, `~/.cloudstack.ini`, and that of a server started in this folder.
 * @throws ConfigError
 */
export async function findCredentials(
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Credentials> {
  if (file !== undefined) return fromFile(file, await readFile(file, 'utf8').catch(error => unreadable(file, error)));
  const { CLOUDSTACK_ENDPOINT: endpoint, CLOUDSTACK_KEY: key, CLOUDSTACK_SECRET: secret } = environment;
  if (endpoint && key && secret) return { endpoint, key, secret, source: 'CLOUDSTACK_ENDPOINT' };
  const candidates = [join(homedir(), '.cloudstack.ini'), IN_DATA_DIR];
  for (const path of candidates) {
    const text = await readFile(path, 'utf8').catch(error =>
      codeOf(error) === 'ENOENT' ? undefined : unreadable(path, error),
    );
    if (text !== undefined) return fromFile(path, text);
  }
  throw new ConfigError(
    '--config',
    '',
    `no credentials: name a cloudstack.ini with --config, set CLOUDSTACK_ENDPOINT, CLOUDSTACK_KEY and CLOUDSTACK_SECRET, or have one of ${candidates.join(', ')}; the first server writes one to its data.dir`,
  );
}

/** @throws ConfigError */
function fromFile(path: string, text: string): Credentials {
  const ini = propertiesReader({}).read(text);
  const value = (name: string) => {
    const found = ini.getRaw(`${SECTION}.${name}`);
    if (!found)
      throw new ConfigError('--config', path, `[${SECTION}] needs endpoint, key and secret; ${name} is missing`);
    return found;
  };
  return { endpoint: value('endpoint'), key: value('key'), secret: value('secret'), source: path };
}

function unreadable(path: string, cause: unknown): never {
  throw new ConfigError('--config', path, `the file cannot be read: ${reasonOf(cause)}`, { cause });
}
