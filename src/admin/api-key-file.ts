import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { propertiesReader } from 'properties-reader';
import { codeOf, reasonOf } from '../lib/errors.js';
import { UsageError } from './usage-error.js';

/** The key pair that requests are signed with, and where the API is. */
export interface ApiKeyPair {
  /** `http://ADDRESS:PORT/client/api`, or `https://…` */
  readonly endpoint: string;
  readonly key: string;
  readonly secret: string;
  /** Where it was found, for messages. */
  readonly source: string;
  /** By what the certificate of the API is verified. Undefined: by what the system trusts. */
  readonly ca?: { readonly pem: string; readonly source: string } | undefined;
}

/** In the working folder: `data` is the default of `data.dir`, where a server writes its `cloudstack.ini`. */
const IN_DATA_DIR = join('data', 'cloudstack.ini');
const SECTION = 'cloudstack';

export interface KeyPairSources {
  /** The file that was named by `--config`. */
  readonly config: string | undefined;
  /** Takes the place of the endpoint that is found. */
  readonly endpoint: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The user's home folder. */
  readonly home: string;
}

/**
 * The first of: the file named by `--config`, the environment, `~/.cloudstack.ini`, and the file of a server that was
 * started in this folder.
 * @throws UsageError: there is none, or it cannot be used
 */
export async function findApiKeyPair(sources: KeyPairSources): Promise<ApiKeyPair> {
  const { verify, ...found } = await findAny(sources);
  const endpoint = sources.endpoint ?? found.endpoint;
  if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint)) {
    const where = sources.endpoint === undefined ? found.source : '--endpoint';
    throw new UsageError(`${where}: ${endpoint} is no endpoint: http://ADDRESS:PORT/client/api is expected`);
  }
  return { ...found, endpoint, ca: verify === undefined ? undefined : await caOf(verify, found.source) };
}

/** As `cs` has it: `verify` is the path of a file with the CA's certificates. */
type FoundPair = Omit<ApiKeyPair, 'ca'> & { readonly verify: string | undefined };

/** @throws UsageError */
async function caOf(path: string, source: string): Promise<ApiKeyPair['ca']> {
  try {
    return { pem: await readFile(path, 'utf8'), source: path };
  } catch (cause) {
    const what = 'verify names a file with the CA of the API, as a server writes it beside its cloudstack.ini';
    throw new UsageError(`${source}: verify = ${path} cannot be read: ${reasonOf(cause)}; ${what}`, { cause });
  }
}

async function findAny({ config, environment, home }: KeyPairSources): Promise<FoundPair> {
  if (config !== undefined) return fromFile(config, await readFile(config, 'utf8').catch(e => unreadable(config, e)));
  const { CLOUDSTACK_ENDPOINT: endpoint, CLOUDSTACK_KEY: key, CLOUDSTACK_SECRET: secret } = environment;
  if (endpoint && key && secret) {
    return { endpoint, key, secret, verify: environment.CLOUDSTACK_VERIFY, source: 'CLOUDSTACK_ENDPOINT' };
  }
  const candidates = [join(home, '.cloudstack.ini'), IN_DATA_DIR];
  for (const path of candidates) {
    const text = await readFile(path, 'utf8').catch(error =>
      codeOf(error) === 'ENOENT' ? undefined : unreadable(path, error),
    );
    if (text !== undefined) return fromFile(path, text);
  }
  throw new UsageError(
    `no credentials: name a cloudstack.ini with --config, set CLOUDSTACK_ENDPOINT, CLOUDSTACK_KEY and CLOUDSTACK_SECRET, or have one of ${candidates.join(', ')}; a server writes one to its data.dir when it starts`,
  );
}

/** @throws UsageError */
function fromFile(path: string, text: string): FoundPair {
  const ini = propertiesReader({}).read(text);
  const value = (name: string) => {
    const found = ini.getRaw(`${SECTION}.${name}`);
    if (!found) throw new UsageError(`${path}: [${SECTION}] needs endpoint, key and secret; ${name} is missing`);
    return found;
  };
  const verify = ini.getRaw(`${SECTION}.verify`) || undefined;
  return { endpoint: value('endpoint'), key: value('key'), secret: value('secret'), verify, source: path };
}

function unreadable(path: string, cause: unknown): never {
  throw new UsageError(`${path} cannot be read: ${reasonOf(cause)}`, { cause });
}
