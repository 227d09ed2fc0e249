import type { X509Certificate } from 'node:crypto';
import { access, constants, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../lib/clock.js';
import { delay } from '../../lib/clock.js';
import { ConfigError, codeOf, reasonOf } from '../../lib/errors.js';
import { pemOf } from '../../lib/pem.js';
import { connectTls, LIMITS, secureContext } from '../../protocol/index.js';
import { readProperties } from '../agent-properties.js';
import { tcpDialer } from '../dialer.js';
import { type AgentSettings, readSettings } from '../settings.js';
import { bundleIn, objectionTo, presentedBy } from '../trust.js';

/** One thing that was looked at. */
export interface Finding {
  readonly level: 'ok' | 'warn' | 'error';
  readonly what: string;
  readonly found: string;
  /** What to do about it. */
  readonly remedy?: string;
}

export interface DoctorWorld {
  readonly clock: Clock;
  readonly output: 'table' | 'json';
  say(text: string): void;
}

/** The exit code says the worst. */
const EXIT = { ok: 0, warn: 1, error: 2 } as const;
const SOON_MS = 30 * 86_400_000;
/** A server that takes no agents closes at once; one that does waits for their Startup. */
const CLOSED_WITHIN_MS = 1_000;

/** Looks at the agent in a folder: files, certificates, and every host of its list. Changes nothing. */
export async function doctor(folder: string, world: DoctorWorld): Promise<number> {
  const findings: Finding[] = [];
  const note = (finding: Finding) => {
    findings.push(finding);
    if (world.output === 'table') world.say(line(finding));
  };
  const settings = await lookAtProperties(join(folder, 'agent.properties'), note);
  const bundle = await lookAtCa(join(folder, 'cloud.ca.crt'), world.clock.wallTime(), note);
  await lookAtOwnCertificate(folder, world.clock.wallTime(), note);
  if (settings !== undefined) {
    const hosts = new Set([...settings.list.hosts, ...(settings.lastCompleted?.hosts ?? [])]);
    for (const host of hosts) await lookAtHost(host, settings, bundle, world.clock, note);
  }
  if (world.output === 'json') world.say(`${JSON.stringify(findings, null, 2)}\n`);
  return Math.max(...findings.map(({ level }) => EXIT[level]));
}

type Note = (finding: Finding) => void;

function line({ level, what, found, remedy }: Finding): string {
  return `${level.toUpperCase().padEnd(5)} ${what}: ${found}\n${remedy === undefined ? '' : `      → ${remedy}\n`}`;
}

// ---- files

async function lookAtProperties(path: string, note: Note): Promise<AgentSettings | undefined> {
  const { document, error } = await readProperties(path);
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined) {
    note({
      level: 'error',
      what: path,
      found: 'there is no such file',
      remedy: 'name the folder of agent.properties, or start the agent once: it makes one',
    });
    return undefined;
  }
  if (error !== undefined) {
    note({
      level: 'error',
      what: path,
      found: `cannot be read: ${reasonOf(error)}`,
      remedy: `chown it to the agent's user, chmod 640 ${path}`,
    });
    return undefined;
  }
  const isWritable =
    (stats.mode & 0o200) !== 0 &&
    (await access(path, constants.W_OK).then(
      () => true,
      () => false,
    ));
  if (isWritable) note({ level: 'ok', what: path, found: 'readable and writable' });
  else {
    note({
      level: 'warn',
      what: path,
      found: 'cannot be written: what servers say is lost with the process',
      remedy: `chmod u+w ${path}`,
    });
  }
  try {
    const settings = readSettings(key => document.get(key));
    describeSettings(path, settings, note);
    return settings;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    note({
      level: 'error',
      what: `${path}, ${error.key}`,
      found: error.message,
      remedy: `correct ${error.key}; the agent does not start with it`,
    });
    return undefined;
  }
}

function describeSettings(path: string, { guid, zone, list, lastCompleted }: AgentSettings, note: Note): void {
  if (zone === '') {
    note({
      level: 'error',
      what: `${path}, zone`,
      found: 'empty: this host was removed, and the agent does not dial',
      remedy: 'set zone, pod and cluster to register it anew',
    });
  }
  if (guid === undefined)
    note({ level: 'warn', what: `${path}, guid`, found: 'none yet', remedy: 'start the agent once: it makes one' });
  note({
    level: 'ok',
    what: `${path}, host`,
    found: `${list.hosts.join(',')}${list.algorithm ? ` by ${list.algorithm}` : ''}`,
  });
  if (lastCompleted === undefined) {
    note({
      level: 'warn',
      what: `${path}, last.setup.completed.host`,
      found: 'no list has worked yet',
      remedy: 'see the hosts below',
    });
  }
}

async function lookAtCa(path: string, wallTime: number, note: Note): Promise<readonly X509Certificate[]> {
  let bundle: readonly X509Certificate[];
  try {
    bundle = bundleIn(await readFile(path, 'utf8'), path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      note({
        level: 'warn',
        what: path,
        found: 'there is none: the agent will trust the first CA that it sees',
        remedy: "copy the CA's certificate here beforehand",
      });
    } else
      note({
        level: 'error',
        what: path,
        found: reasonOf(error),
        remedy: 'replace it by the CA certificate in PEM, or remove it to pin the next one',
      });
    return [];
  }
  for (const certificate of bundle) noteDates(path, certificate, wallTime, note);
  return bundle;
}

async function lookAtOwnCertificate(folder: string, wallTime: number, note: Note): Promise<void> {
  const path = join(folder, 'cloud.crt');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  try {
    for (const certificate of bundleIn(text, path)) noteDates(path, certificate, wallTime, note);
  } catch (error) {
    note({
      level: 'error',
      what: path,
      found: reasonOf(error),
      remedy: 'remove cloud.crt and cloud.key to be given new ones',
    });
  }
  const key = join(folder, 'cloud.key');
  const stats = await stat(key).catch(() => undefined);
  if (stats === undefined)
    note({
      level: 'error',
      what: key,
      found: 'there is none beside cloud.crt',
      remedy: 'remove cloud.crt to be given both anew',
    });
  else if ((stats.mode & 0o077) !== 0)
    note({ level: 'warn', what: key, found: 'others can read it', remedy: `chmod 600 ${key}` });
}

function noteDates(path: string, certificate: X509Certificate, wallTime: number, note: Note): void {
  const what = `${path}, ${certificate.subject.replaceAll('\n', ', ')}`;
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  const dates = `in date from ${certificate.validFrom} to ${certificate.validTo}`;
  if (wallTime < from) note({ level: 'error', what, found: `not yet ${dates}`, remedy: "set this machine's clock" });
  else if (wallTime > to) note({ level: 'error', what, found: `no longer ${dates}`, remedy: 'replace it' });
  else if (wallTime > to - SOON_MS) note({ level: 'warn', what, found: dates, remedy: 'replace it before then' });
  else note({ level: 'ok', what, found: dates });
}

// ---- hosts

/** What one host of the list does when it is dialled as an agent would. */
async function lookAtHost(
  host: string,
  { port, handshakeTimeoutMs }: AgentSettings,
  bundle: readonly X509Certificate[],
  clock: Clock,
  note: Note,
): Promise<void> {
  const what = `${host} port ${port}`;
  const started = clock.now();
  let addresses: readonly string[];
  try {
    addresses = await tcpDialer.addresses(host);
  } catch (error) {
    note({
      level: 'error',
      what,
      found: `the name cannot be resolved: ${reasonOf(error)}`,
      remedy: 'correct the name in host, or the name service',
    });
    return;
  }
  const give = AbortSignal.timeout(LIMITS.connectMs);
  const wire = await tcpDialer.connect(addresses, port, give).catch((error: unknown) => error as Error);
  if (wire instanceof Error && isClosing(wire)) {
    noteClosed(what, addresses.join(', '), note);
    return;
  }
  if (wire instanceof Error) {
    note({
      level: 'error',
      what,
      found: `${addresses.join(', ')}: no connection: ${reasonOf(wire)}`,
      remedy: 'is the server up, and does a firewall let this machine through?',
    });
    return;
  }
  let seen: { peer: string; objection: string | undefined } | undefined;
  const judge = (peer: TLSSocket) => {
    const presented = presentedBy(peer);
    const [own] = presented.chain;
    seen = {
      peer: `${own?.subject.replaceAll('\n', ', ')}, by ${own?.issuer.replaceAll('\n', ', ')}`,
      objection: bundle.length === 0 ? undefined : objectionTo(presented, bundle, clock.wallTime()),
    };
  };
  const context = secureContext({ ca: pemOf(bundle) });
  try {
    const transport = await connectTls(wire.socket, {
      clock,
      context,
      handshakeTimeoutMs,
      remote: wire.remote,
      host,
      judge,
    });
    const tookMs = Math.round(clock.now() - started);
    const closed = new Promise<boolean>(resolve => transport.listen({ onPacket() {}, onClose: () => resolve(true) }));
    const isClosed = await Promise.race([closed, delay(clock, CLOSED_WITHIN_MS).then(() => false)]);
    transport.destroy();
    if (seen?.objection !== undefined) {
      note({
        level: 'error',
        what,
        found: `${wire.remote.address}: ${seen.objection}`,
        remedy: 'is this the right server? If its CA was replaced, replace cloud.ca.crt by the new one',
      });
    } else if (isClosed) noteClosed(what, wire.remote.address, note);
    else {
      note({
        level: 'ok',
        what,
        found: `${wire.remote.address}: takes agents, ${tookMs} ms, certificate ${seen?.peer}`,
      });
    }
  } catch (error) {
    if (isClosing(error)) noteClosed(what, wire.remote.address, note);
    else {
      note({
        level: 'error',
        what,
        found: `${wire.remote.address}: ${reasonOf(error)}`,
        remedy: "is this the agents' port of a management server?",
      });
    }
  }
}

/** CloudStack's way to say that it takes nobody now, and Muster's: the connection ends before the handshake. */
function isClosing(error: unknown): boolean {
  const codes = [codeOf(error), codeOf((error as Error).cause)];
  return codes.some(code => code === 'HANDSHAKE_CLOSED' || code === 'ECONNRESET');
}

function noteClosed(what: string, address: string, note: Note): void {
  note({
    level: 'warn',
    what,
    found: `${address}: closes at once`,
    remedy: 'it is in maintenance, or has too much to do; the agent goes on to the next host',
  });
}
