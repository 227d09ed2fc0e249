import { readFile } from 'node:fs/promises';
import { loadResource, type Resource, Trust, TrustError, withMachineName } from '../agent/index.js';
import { systemClock } from '../lib/clock.js';
import { ConfigError, EXIT_CODES, reasonOf } from '../lib/errors.js';
import { systemDisk } from '../lib/files/disk.js';
import { memoryDisk } from '../lib/files/memory-disk.js';
import { type Log, type OpenLog, openLog } from '../lib/logger.js';
import { systemRandom } from '../lib/random.js';
import { nearestKey } from '../lib/text/nearest-key.js';
import type { CommandLine } from '../program/command-line.js';
import { endInOrder } from '../program/end-in-order.js';
import type { Program, Running } from '../program/entry.js';
import { placeOf, readSettingsFile, valuesOf } from '../program/settings-file.js';
import { FaultError } from './faults/fault.js';
import { FaultDesk } from './faults/fault-desk.js';
import { objectionToPlanned, type Planned, parseSchedule } from './faults/schedule.js';
import { Fleet } from './fleet.js';
import { type Folder, openFolder } from './folder.js';
import { HeapPolicy } from './heap-policy.js';
import { kvmResource } from './kvm/kvm-resource.js';
import { addressOf, guidOf, hardwareAddressOf, netmaskOf } from './load/numbering.js';
import type { Verdict } from './measure/expectations.js';
import { statusLine } from './measure/status.js';
import { UnknownCommands } from './measure/unknown-commands.js';
import { TcpNetwork } from './network/tcp-network.js';
import { Operator } from './operator/operator.js';
import { ensureWritable, type Run, verdictsOf, writeOutcome } from './outcome.js';
import { Reporter } from './reporter.js';
import { FLEET_KEYS, type FleetSettings, isFleetKey, readSettings } from './settings.js';

export const summary: Program['summary'] =
  'Many agents in one process, for load tests and demonstrations, against Muster or CloudStack.';

/** Each key with its meaning, for `--help`. */
export const settings: Program['settings'] = Object.entries(FLEET_KEYS);

export async function start({ file, defaultFile, settings: commandLine }: CommandLine): Promise<Running> {
  for (const [key, value] of commandLine) {
    if (isFleetKey(key)) continue;
    const near = nearestKey(key, Object.keys(FLEET_KEYS));
    throw new ConfigError(key, value, near ? `no such setting; did you mean ${near}?` : 'no such setting; see --help');
  }
  const path = file ?? defaultFile;
  const { document, warnings } = await readSettingsFile(path, file !== undefined);
  const settings = readSettings(new Map([...valuesOf(document), ...commandLine]));
  const plan = await readPlan(settings);
  await ensureWritable(settings.files);
  const opened = await openLog(settings.log, systemClock);
  for (const warning of warnings) opened.warn(warning, { file: path });
  for (const key of document.keys()) {
    if (isFleetKey(key)) continue;
    const near = nearestKey(key, Object.keys(FLEET_KEYS));
    opened.warn(`The settings file has a key that is no setting${near ? `: is ${near} meant?` : ''}`, {
      file: placeOf(path, document, key),
      key,
    });
  }
  if (settings.dataDir === undefined && settings.agentDefaults.get('enrollment.token')) {
    opened.warn('The certificates of these agents end with this process: set data.dir to keep them');
  }
  let folder: Folder | undefined;
  try {
    const unknown = new UnknownCommands();
    const resourceOf = await resources(settings, unknown, opened);
    folder = settings.dataDir === undefined ? undefined : await openFolder(settings.dataDir);
    return await run({ settings, plan, folder, unknown, resourceOf, log: opened });
  } catch (error) {
    folder?.abandon();
    await opened.close();
    throw error;
  }
}

interface RunParts {
  readonly settings: FleetSettings;
  readonly plan: readonly Planned[];
  /** Undefined: the agents' files are in memory. */
  readonly folder: Folder | undefined;
  readonly unknown: UnknownCommands;
  resourceOf(agent: number, guid: string): Resource;
  readonly log: OpenLog;
}

async function run({ settings, plan, folder, unknown, resourceOf, log: opened }: RunParts): Promise<Running> {
  const [clock, random] = [systemClock, systemRandom];
  const operator = new Operator({ clock, input: process.stdin, screen: process.stderr });
  const log = settings.log.file === 'stdout' ? operator.beside(opened) : opened;
  const files =
    folder === undefined ? { folder: 'memory', disk: memoryDisk() } : { folder: folder.path, disk: systemDisk };
  await files.disk.makeFolder(files.folder);
  const trust = new Trust({ ...files, clock, log });
  await trust.load().catch(asConfigError);
  const network = new TcpNetwork({ clock, log, addresses: settings.addresses, hasProxies: settings.hasProxies });
  const fleet = await Fleet.open({ ...files, settings, trust, network, clock, random, log, resourceOf });
  const desk = new FaultDesk({ fleet, network, clock, random, log });
  const { reportIntervalMs: intervalMs } = settings;
  // Where a line shows it, the log need not.
  const isLogged = !(operator.isShown && log !== opened);
  const { ledger } = fleet;
  const heap = new HeapPolicy({ ledger, clock });
  const reporter = new Reporter({ ledger, clock, log, intervalMs, isLogged });
  const startedAt = clock.wallTime();
  desk.follow(plan);
  fleet.start();
  reporter.start();
  heap.start();
  operator.start({
    status: columns => statusLine(reporter.status(), columns),
    commanded: {
      fault(text) {
        const done = desk.command(text);
        log.info('Fault', { fault: text, done });
        return settings.log.file === 'stdout' ? undefined : done;
      },
      heal: () => desk.heal(),
      status: () => statusLine(reporter.status(), Number.POSITIVE_INFINITY),
      quit: () => void process.kill(process.pid, 'SIGTERM'),
    },
  });
  if (settings.durationMs !== undefined) {
    clock.after(settings.durationMs, () => void process.kill(process.pid, 'SIGTERM'));
  }
  let exitCode: number = EXIT_CODES.ok;
  return {
    async stop() {
      operator.stop();
      reporter.stop();
      heap.stop();
      const { samples, elapsedMs } = reporter;
      const status = reporter.status();
      const { records: faults } = desk;
      const found: Run = { settings, startedAt, elapsedMs, status, samples, faults, unknownCommands: unknown.counts };
      const verdicts = verdictsOf(found);
      if (verdicts.some(({ isMet }) => !isMet)) exitCode = EXIT_CODES.unmet;
      // Until all is written the exit says that it is not: the stop does not wait for ever.
      const write = async () => {
        const whenWritten = exitCode;
        exitCode = EXIT_CODES.fatal;
        const unwritten = await writeOutcome(found, verdicts);
        for (const { key, path, reason } of unwritten) {
          log.error('What was found cannot be written', { file: `${key}=${path}`, reason });
        }
        if (unwritten.length === 0) exitCode = whenWritten;
      };
      await endInOrder(
        [
          ['the faults', () => desk.stop()],
          ['the agents', () => fleet.stop()],
          ['the proxies', () => network.close()],
          ['what was found', write],
          ['the folder', () => folder?.close()],
          ['the end', () => sayEnd(found, verdicts, log)],
          ['the log', () => opened.close()],
        ],
        { clock, log },
      );
    },
    reload() {
      opened.reopen();
      trust.load().catch(error => log.error('Cannot read the known CA anew', { reason: reasonOf(error) }));
    },
    abandon: () => folder?.abandon(),
    exitCode: () => exitCode,
  };
}

function sayEnd({ status: { agents, census }, unknownCommands }: Run, verdicts: readonly Verdict[], log: Log): void {
  for (const [name, count] of unknownCommands) {
    log.warn('Commands of a class that the agents do not know', { class: name, count });
  }
  for (const { key, text, found, isMet } of verdicts) {
    if (isMet) log.info('Expected, and met', { expect: `${key}=${text}`, found });
    else log.error('Expected, and NOT met', { expect: `${key}=${text}`, found });
  }
  log.info('Fleet stops', { agents, linksLost: census.linksLost });
}

/** @throws ConfigError */
async function readPlan({
  faultsFile,
  hasProxies,
  durationMs,
  agentCount,
  guidPrefix,
}: FleetSettings): Promise<readonly Planned[]> {
  if (faultsFile === undefined) return [];
  try {
    const plan = parseSchedule(await readFile(faultsFile, 'utf8'));
    const guids = new Set(Array.from({ length: agentCount }, (_, index) => guidOf(guidPrefix, index + 1)));
    const [objection] = plan.flatMap(one => objectionToPlanned(one, { durationMs, guids, hasProxies }) ?? []);
    if (objection !== undefined) throw new FaultError(objection);
    return plan;
  } catch (cause) {
    const reason = cause instanceof FaultError ? cause.message : `the file cannot be read: ${reasonOf(cause)}`;
    throw new ConfigError('faults', faultsFile, reason, { cause });
  }
}

/** @throws ConfigError */
async function resources({ kvm, resource, addresses }: FleetSettings, unknown: UnknownCommands, log: Log) {
  if (kvm === undefined) {
    const loaded = await loadResource(resource, log);
    // The machine that all agents are on is looked at once.
    const described = resource === undefined ? await loaded.startup() : undefined;
    const shared = unknown.counting({ ...loaded, startup: () => described ?? loaded.startup() });
    // One machine has one host name: each agent reports a name of its own.
    return (_agent: number, guid: string) => withMachineName(shared, guid);
  }
  const range = kvm.network ?? addresses;
  return (number: number, name: string) => {
    const network = range === undefined ? LOOPBACK : { address: addressOf(range, number), netmask: netmaskOf(range) };
    const host = { name, number, ...network, hardwareAddress: hardwareAddressOf(number) };
    return unknown.counting(kvmResource({ host, vms: kvm.vms, clock: systemClock }));
  };
}

const LOOPBACK = { address: '127.0.0.1', netmask: '255.0.0.0' } as const;

function asConfigError(error: unknown): never {
  if (error instanceof TrustError) throw new ConfigError('cloud.ca.crt', '', error.message, { cause: error });
  throw error;
}
