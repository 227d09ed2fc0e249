import { readFile } from 'node:fs/promises';
import type { SslOptions } from 'mysql2';
import { ConfigError, reasonOf } from '../../../lib/errors.js';
import type { MysqlTls } from './url.js';

/** Reads the files of `db.url`. @returns what the driver needs for TLS; undefined: no TLS @throws ConfigError */
export async function readTlsOptions(tls: MysqlTls): Promise<SslOptions | undefined> {
  if (tls.mode === 'off') return undefined;
  const [ca, cert, key] = await Promise.all([
    textOf('tlsCa', tls.caFile),
    textOf('tlsCert', tls.certFile),
    textOf('tlsKey', tls.keyFile),
  ]);
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: tls.mode !== 'required',
    verifyIdentity: tls.mode === 'verify-full',
  };
}

async function textOf(name: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(`db.url: ${name}`, path, reasonOf(cause), { cause });
  }
}
