// A three-node MariaDB Galera cluster on this machine, to try Muster on; docs/galera.md tells how.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Cluster, requireInstalled } from './galera/cluster.mjs';
import { requireFreePorts } from './galera/ports.mjs';
import { endAll } from './galera/processes.mjs';

const USAGE = `Three MariaDB Galera nodes on 127.0.0.1, in a temporary folder, until Ctrl-C.

Usage: node scripts/galera.mjs [--port N] [--check]

  --port N   the first node's port; the others follow (13306). N+1000 to N+1401 are used as well.
  --check    three management servers, 30 agents and three store clients; each node is killed in turn (kill -9), one of
             the servers with it, and both come back; no agent may lose its link for it, and nothing may be lost
`;

async function main() {
  const { port, check, help } = readOptions();
  if (help) {
    process.stdout.write(USAGE);
    return 0;
  }
  requireInstalled();
  await requireFreePorts(port, check);
  // Without the check Ctrl-C is how it is meant to end.
  const interrupted = interruption(check ? 130 : 0);
  const folder = await mkdtemp(join(tmpdir(), 'muster-galera-'));
  try {
    return await Promise.race([interrupted, run({ firstPort: port, folder, isCheck: check })]);
  } finally {
    await endAll();
    // An agent may just be writing its properties.
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** @returns the exit code */
async function run({ firstPort, folder, isCheck }) {
  const cluster = new Cluster(firstPort, folder);
  // Before there is anything to end: it needs a build.
  const { runCheck } = isCheck ? await import('./galera/check.mjs').catch(needsBuild) : {};
  await cluster.start();
  if (runCheck) return (await runCheck(cluster, folder)) ? 0 : 1;
  console.log(`\ndb.url=${cluster.url()}\n\nCtrl-C stops the cluster and removes it.`);
  return new Promise(() => {});
}

/** @returns `exitCode`, once somebody wants us to end; whoever is impatient changes nothing */
function interruption(exitCode) {
  return new Promise((resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(signal, () => {
        console.log('\nEnding everything …');
        resolve(exitCode);
      });
    }
    // Whoever read our output has gone.
    process.stdout.on('error', () => resolve(exitCode));
    process.on('uncaughtException', reject);
    process.on('unhandledRejection', reject);
  });
}

function needsBuild(error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  throw new Error(`${error.message.split('\n')[0]}\nBuild first: npm run build`);
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: 'string', default: '13306' },
        check: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const port = Number(values.port);
    if (!Number.isInteger(port) || port < 1_024 || port > 64_000) throw new Error('--port: allowed is 1024 to 64000');
    return { ...values, port };
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
    return process.exit(1);
  }
}

main().then(
  code => process.exit(code),
  error => {
    console.error(error.message);
    process.exit(1);
  },
);
