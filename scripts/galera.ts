// A MariaDB Galera cluster of three nodes on this machine, to try Muster on; docs/galera.md tells how.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Cluster, requireInstalled } from './galera/cluster.js';
import { DEFAULT_FIRST_PORT, requireFreePorts } from './galera/ports.js';
import { endAll, untilInterrupted } from './galera/processes.js';
import { readArguments, wholeNumber } from './programs/arguments.js';

const USAGE = `Three MariaDB Galera nodes on 127.0.0.1, in a temporary folder, until Ctrl-C.

Usage: npm run galera [-- --port N]

  --port N   the first node's port; the others follow (${DEFAULT_FIRST_PORT}). N+1000 to N+1302 are used as well.
`;

async function main(): Promise<void> {
  const firstPort = readArguments(USAGE, () => {
    const { values } = parseArgs({ options: { port: { type: 'string', default: String(DEFAULT_FIRST_PORT) } } });
    return wholeNumber('--port', values.port, 1_024, 64_000);
  });
  requireInstalled();
  await requireFreePorts(firstPort);
  const interrupted = Promise.race([untilInterrupted(), untilOutputIsClosed(), uncaught()]);
  const folder = await mkdtemp(join(tmpdir(), 'muster-galera-'));
  try {
    await Promise.race([interrupted, runCluster(firstPort, folder)]);
  } finally {
    await endAll();
    await rm(folder, { recursive: true, force: true });
  }
}

async function runCluster(firstPort: number, folder: string): Promise<never> {
  const cluster = new Cluster(firstPort, folder);
  await cluster.start(line => console.log(line));
  console.log(`\ndb.url=${cluster.url()}\n\nCtrl-C stops the cluster and removes it.`);
  return new Promise<never>(() => {});
}

/** `npm run galera | head`: nobody reads any more. */
function untilOutputIsClosed(): Promise<void> {
  return new Promise(resolve => process.stdout.on('error', () => resolve()));
}

/** Rejects with what nobody has caught, so that the nodes are ended then, too. */
function uncaught(): Promise<never> {
  return new Promise((_, reject) => {
    process.on('uncaughtException', reject);
    process.on('unhandledRejection', reject);
  });
}

main().then(
  () => process.exit(0),
  error => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
