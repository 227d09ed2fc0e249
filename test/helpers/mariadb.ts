import { rm } from 'node:fs/promises';
import type { Test } from 'tap';
import { isInstalled, type MariaDb, type MariaDbOptions, mariaDb } from '../../scripts/mariadb/mariadb.js';
import { freePort } from '../../scripts/programs/free-port.js';
import { scratchFolder } from './scratch.js';

export { type MariaDb, PASSWORD } from '../../scripts/mariadb/mariadb.js';

/**
 * Why there can be no MariaDB here; undefined: it is installed. Where everything must hold, its absence is a failure.
 * @param t says it aloud
 */
export function whyNoMariaDb(t: Pick<Test, 'comment'>): string | undefined {
  if (isInstalled()) return undefined;
  const why = 'MariaDB is not installed, so its store is NOT tested: apt-get install mariadb-server';
  if (process.env.CI === 'true') throw new Error(why);
  process.stderr.write(`\n*** ${why}\n\n`);
  t.comment(why);
  return why;
}

/** With everything in a temporary folder. @param t ends it */
export async function startMariaDb(
  t: Pick<Test, 'teardown'>,
  options: Pick<MariaDbOptions, 'tls'> = {},
): Promise<MariaDb> {
  const folder = scratchFolder('muster-mariadb-');
  const mariadb = mariaDb({ ...options, folder, port: await freePort() });
  t.teardown(async () => {
    await mariadb.kill();
    await rm(folder, { recursive: true, force: true });
  });
  await mariadb.start();
  return mariadb;
}
