import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { propertiesReader } from 'properties-reader';
import { codeOf, reasonOf } from '../lib/errors.js';
import { UsageError } from './usage-error.js';

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

export interface CredentialSources {
  /** A file that was named. */
  readonly config: string | undefined;
  /** Beats that of the file. */
  readonly endpoint: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The user's folder. */
  readonly home: string;
}

/**
 * The first of: the file named, the environment, `~/.cloudstack.ini`, and that of a server started in this folder.
 * @throws UsageError
 */
export async function findCredentials(sources: CredentialSources): Promise<Credentials> {
  const { endpoint, ...found } = await findAny(sources);
  const credentials = { ...found, endpoint: sources.endpoint ?? endpoint };
  if (!URL.canParse(credentials.endpoint) || !/^https?:/.test(credentials.endpoint)) {
    const where = sources.endpoint === undefined ? found.source : '--endpoint';
    throw new UsageError(
      `${where}: ${credentials.endpoint} is no endpoint: http://ADDRESS:PORT/client/api is expected`,
    );
  }
  return credentials;
}

async function findAny({ config, environment, home }: CredentialSources): Promise<Credentials> {
  if (config !== undefined) return fromFile(config, await readFile(config, 'utf8').catch(e => unreadable(config, e)));
  const { CLOUDSTACK_ENDPOINT: endpoint, CLOUDSTACK_KEY: key, CLOUDSTACK_SECRET: secret } = environment;
  if (endpoint && key && secret) return { endpoint, key, secret, source: 'CLOUDSTACK_ENDPOINT' };
  const candidates = [join(home, '.cloudstack.ini'), IN_DATA_DIR];
  for (const path of candidates) {
    const text = await readFile(path, 'utf8').catch(error =>
      codeOf(error) === 'ENOENT' ? undefined : unreadable(path, error),
    );
    if (text !== undefined) return fromFile(path, text);
  }
  throw new UsageError(
    `no credentials: name a cloudstack.ini with --config, set CLOUDSTACK_ENDPOINT, CLOUDSTACK_KEY and CLOUDSTACK_SECRET, or have one of ${candidates.join(', ')}; the first server writes one to its data.dir`,
  );
}

/** @throws UsageError */
function fromFile(path: string, text: string): Credentials {
  const ini = propertiesReader({}).read(text);
  const value = (name: string) => {
    const found = ini.getRaw(`${SECTION}.${name}`);
    if (!found) throw new UsageError(`${path}: [${SECTION}] needs endpoint, key and secret; ${name} is missing`);
    return found;
  };
  return { endpoint: value('endpoint'), key: value('key'), secret: value('secret'), source: path };
}

function unreadable(path: string, cause: unknown): never {
  throw new UsageError(`${path} cannot be read: ${reasonOf(cause)}`, { cause });
}
