import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Process } from '../../scripts/galera/processes.js';
import { perform, readFolder } from '../../src/agent/trust/folder.js';
import { type CertificateOffer, recovery } from '../../src/agent/trust/install.js';
import { ownCertificateOf } from '../../src/agent/trust/own-certificate.js';
import { delay, systemClock } from '../../src/lib/clock.js';
import { clearTemporaries } from '../../src/lib/files/atomic-file.js';
import { seededRandom } from '../helpers/seeded-random.js';
import { TestCa } from '../helpers/test-ca.js';
import { propertiesWith } from './persist-files.js';

const WRITER = fileURLToPath(new URL('./persist-writer.js', import.meta.url));
/** Within so long after a write the process is killed: in the course of the next ones. */
const LONGEST_LIFE_MS = 30;
/** Not what a new file would get. */
const MODE = 0o604;
/** Of what an installation of a certificate writes, with their modes; the texts are checked by taking them into use. */
const KEY_STORE = /^cloud\.(key|crt|ca\.crt)(\.new|\.old)?$/;
const TEMPORARY = /\.tmp$/;

export interface PersistKillsOptions {
  readonly kills: number;
  readonly seed: number;
  /** An empty folder. */
  readonly folder: string;
  /** `in-place` is a writer that does it wrong. @default 'atomic' */
  readonly how?: 'atomic' | 'in-place';
  /** Aborted: no further kill. */
  readonly signal?: AbortSignal;
  /** Called after each kill. */
  readonly onKill?: (result: PersistKillsResult) => void;
}

export interface PersistKillsResult {
  kills: number;
  /** How often the file had the list that was complete before, or the one that was being written. */
  old: number;
  new: number;
  /** How often a temporary file was left. */
  left: number;
  /** What did not hold after the last kill. */
  wrong: string | undefined;
}

/** Kills a process that persists, again and again, up to the first time after which its files are not whole. */
export async function persistKills(options: PersistKillsOptions): Promise<PersistKillsResult> {
  const { seed, folder, how = 'atomic', signal } = options;
  const random = seededRandom(seed);
  const agentFolder = join(folder, 'agent');
  const offersFile = join(folder, 'offers.json');
  const file = join(agentFolder, 'agent.properties');
  await mkdir(agentFolder);
  await writeFile(file, propertiesWith(0));
  await chmod(file, MODE);
  await writeFile(offersFile, JSON.stringify(await twoOffers()));

  const result: PersistKillsResult = { kills: 0, old: 0, new: 0, left: 0, wrong: undefined };
  while (result.kills < options.kills && result.wrong === undefined && signal?.aborted !== true) {
    const written = await killedAfter(random.uniform() * LONGEST_LIFE_MS, [agentFolder, offersFile, how]);
    result.kills++;
    const names = await readdir(agentFolder);
    if (names.some(name => TEMPORARY.test(name))) result.left++;
    const text = await readFile(file, 'utf8');
    if (text === propertiesWith(written)) result.old++;
    else if (text === propertiesWith(written + 1)) result.new++;
    else result.wrong = `agent.properties is neither list ${written} nor the next one: ${text.length} characters`;
    result.wrong ??= await whatIsWrong(agentFolder);
    options.onKill?.(result);
  }
  return result;
}

/** Two certificates with their keys, of one CA, as a server hands them over. */
async function twoOffers(): Promise<readonly CertificateOffer[]> {
  const ca = await TestCa.make();
  const leaf = () => ca.leaf({ uris: ['muster:host:1'], usages: ['clientAuth'] });
  return (await Promise.all([leaf(), leaf()])).map(({ cert, key }) => {
    return { certificate: cert, privateKey: key, caCertificates: ca.pem };
  });
}

/** Runs a writer. @returns the number of the last list that it said to have written */
async function killedAfter(lifeMs: number, args: readonly string[]): Promise<number> {
  const child = new Process(process.execPath, [WRITER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let written: number | undefined;
  if (child.stdout === null) throw new Error('the writer has no stdout');
  const lines = createInterface(child.stdout);
  // It has been read to its end.
  const closed = once(lines, 'close');
  lines.on('line', line => {
    written = Number(line.slice('p '.length));
  });
  await Promise.race([once(lines, 'line'), closed]);
  await delay(systemClock, lifeMs);
  await child.kill();
  await closed;
  if (written === undefined) throw new Error('the writer has ended before it has written anything');
  return written;
}

/** What does not hold in the folder, before or after what an agent does at its start. */
async function whatIsWrong(folder: string): Promise<string | undefined> {
  for (const name of await readdir(folder)) {
    const mode = (await stat(join(folder, name))).mode & 0o777;
    if (name === 'agent.properties' && mode !== MODE) return `the mode of ${name} is ${mode.toString(8)}`;
    const isKey = name.startsWith('cloud.key');
    if (KEY_STORE.test(name) && mode !== (isKey ? 0o600 : 0o644)) return `the mode of ${name} is ${mode.toString(8)}`;
  }
  // As of a start some minutes later: those of the last minute may be in use.
  await clearTemporaries(folder, systemClock.wallTime() + 120_000);
  await perform(folder, recovery(await readFolder(folder)));
  const found = await readFolder(folder);
  const read = ownCertificateOf(found);
  const isFirst = read === undefined && found['cloud.crt'] === undefined;
  if (!isFirst && !(read !== undefined && 'own' in read)) return `no certificate can be used: ${JSON.stringify(read)}`;
  const others = (await readdir(folder)).filter(name => name !== 'agent.properties' && !KEY_STORE.test(name));
  return others.length > 0 ? `files are left: ${others}` : undefined;
}
