import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../scripts/programs/free-port.js';
import { Child } from '../child.js';
import { serverCertificate } from './authority.js';
import { ADDRESS, CONFIGURATION } from './configuration.js';
import type { Sizes } from './conversation.js';
import type { FloorOperations } from './floor.js';
import type { PreloadOperations } from './preload.js';

/** What is loaded into a program for the bench: it serves `PreloadOperations`. */
export const PRELOAD = new URL('./preload.js', import.meta.url).href;
const START_MS = 60_000;

/** A server in a process of its own, whose cost is measured. */
export interface MeasuredServer {
  readonly pid: number;
  readonly port: number;
  /** Collects garbage. */
  collect(): Promise<void>;
  stop(): Promise<void>;
}

export interface MusterServer extends MeasuredServer {
  /** What is loaded into it for the bench. */
  readonly inside: Child<PreloadOperations>;
  /** The file with the key pair for its HTTP API. */
  readonly apiKeyFile: string;
  /** As `kill -9` does. */
  kill(): Promise<void>;
}

export interface MusterOptions {
  /** The checkout whose `dist/mgmt.js` runs. */
  readonly root: string;
  /** What the server keeps: the same folder again has the same store. */
  readonly folder: string;
  readonly authority: string;
  /** Options of Node, in front of the program. */
  readonly execArgv?: readonly string[];
  /** In the place of the bench's own. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

/** `node dist/mgmt.js` with SQLite, and the log at `info`, in a file. */
export async function startMuster(options: MusterOptions): Promise<MusterServer> {
  const { root, folder, authority, execArgv = [] } = options;
  const pem = join(folder, 'ca.pem');
  writeFileSync(pem, authority);
  const settings = {
    'bind.address': ADDRESS,
    port: await freePort(),
    'cluster.node.IP': ADDRESS,
    'api.port': await freePort(),
    'data.dir': join(folder, 'data'),
    'db.url': `sqlite:${join(folder, 'muster.db')}`,
    'ca.cert': pem,
    'ca.key': pem,
    ...CONFIGURATION,
    'log.file': join(folder, 'muster.log'),
    ...options.settings,
  };
  const out = openSync(join(folder, 'muster.out'), 'a');
  const server = fork(
    join(root, 'dist/mgmt.js'),
    Object.entries(settings).map(([key, value]) => `${key}=${value}`),
    {
      cwd: folder,
      execArgv: ['--expose-gc', '--import', PRELOAD, ...execArgv],
      stdio: ['ignore', out, out, 'ipc'],
    },
  );
  closeSync(out);
  await untilReady(server, Number(settings['api.port']), folder);
  const inside = new Child<PreloadOperations>(server);
  const endBy = async (signal: 'SIGINT' | 'SIGKILL') => {
    server.kill(signal);
    await once(server, 'exit');
  };
  return {
    pid: inside.pid,
    port: Number(settings.port),
    inside,
    apiKeyFile: join(settings['data.dir'], 'cloudstack.ini'),
    collect: () => inside.do('collect'),
    stop: () => endBy('SIGINT'),
    kill: () => endBy('SIGKILL'),
  };
}

/** The plain node:tls server. */
export async function startFloor(authority: string, sizes: Sizes): Promise<MeasuredServer> {
  const child = new Child<FloorOperations>(new URL('./floor.js', import.meta.url));
  return {
    pid: child.pid,
    port: await child.do('listen', { certificates: await serverCertificate(authority), sizes }),
    collect: () => child.do('collect'),
    async stop() {
      child.stop();
    },
  };
}

async function untilReady(server: ChildProcess, apiPort: number, folder: string): Promise<void> {
  const end = performance.now() + START_MS;
  while (!(await answersReady(apiPort))) {
    if (server.exitCode !== null || performance.now() > end) {
      server.kill('SIGKILL');
      throw new Error(`the server does not start: ${readFileSync(join(folder, 'muster.out'), 'utf8')}`);
    }
    await sleep(50);
  }
}

async function answersReady(apiPort: number): Promise<boolean> {
  try {
    return (await fetch(`http://${ADDRESS}:${apiPort}/readyz`)).ok;
  } catch {
    return false;
  }
}
