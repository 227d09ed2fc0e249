#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { canonicalAddress } from './lib/address.js';
import { type Clock, systemClock } from './lib/clock.js';
import type { CommandLine } from './lib/command-line.js';
import { type Entry, type Running, runEntry } from './lib/entry.js';
import { ConfigError, codeOf, FatalError, reasonOf } from './lib/errors.js';
import { type Log, openLog } from './lib/logger.js';
import { parseProperties } from './lib/properties.js';
import { systemRandom } from './lib/random.js';
import { openCa } from './mgmt/ca.js';
import { type Configuration, PARAMETERS, type ParameterName, readConfiguration } from './mgmt/configuration.js';
import { type CertificateSource, ServerCredentials } from './mgmt/credentials.js';
import { firstAddress, openDataDir } from './mgmt/identity.js';
import { listen } from './mgmt/listener.js';
import { loadPemCredentials } from './mgmt/pem-credentials.js';
import { openKeyFile } from './mgmt/secrets.js';
import { ManagementServer } from './mgmt/server.js';
import { type MgmtSettings, readSettings, SETTING_HELP } from './mgmt/settings.js';
import { openStore } from './mgmt/store/open-store.js';
import type { Store } from './mgmt/store/store.js';
import { StoreError } from './mgmt/store/store-error.js';

const clock: Clock = systemClock;
const random = systemRandom;

const entry: Entry = {
  name: 'mgmt',
  defaultFile: 'conf/mgmt.properties',
  summary: 'A management server: agents register with it, and get their list of management servers from it.',
  settings: [
    ...SETTING_HELP,
    ...Object.entries(PARAMETERS).map(
      ([name, { description, unit }]) => [name, `${description}${unit ? ` (${unit})` : ''}; initial value`] as const,
    ),
  ],
  start,
};

async function start({ file = entry.defaultFile, settings: commandLine }: CommandLine): Promise<Running> {
  const inFile = await readFileSettings(file);
  const { settings, initial, warnings } = readSettings(inFile ?? new Map(), commandLine);
  const log = openLog(settings.log);
  const undo: (() => Promise<void>)[] = [() => log.close()];
  try {
    if (inFile === undefined) log.info('There is no settings file; defaults and the command line hold', { file });
    for (const warning of warnings) log.warn(`${file}: ${warning}`);

    const { lock, nodeId: msid } = await openDataDir(settings.dataDir, settings.nodeId, random);
    undo.unshift(() => lock.release());
    const store = await openStore(settings.dbUrl, { clock, random, log });
    undo.unshift(() => store.close());

    const address = settings.nodeIp ?? canonicalAddress(firstAddress());
    const configuration = await initialConfiguration(store, initial, address, log);
    const credentials = await openCredentials(settings, store, { address, msid }, log);
    undo.unshift(async () => credentials.stop());

    const server = new ManagementServer({
      clock,
      random,
      log,
      store,
      msid,
      configuration,
      secureContext: () => credentials.context,
    });
    await server.start();
    undo.unshift(() => server.stop('now'));
    const listener = await listen(server, { address: settings.bindAddress, port: settings.port }, clock);
    log.info('Listening for agents', { address: listener.address, port: listener.port, msid, node: address });

    return {
      async stop(signal) {
        log.info('Stopping', { signal, agents: server.attaches.size });
        credentials.stop();
        const closed = listener.close();
        await server.stop(signal === 'SIGTERM' ? 'orderly' : 'now');
        await closed;
        await store.close();
        await lock.release();
        log.info('Stopped');
        await log.close();
      },
      reload() {
        log.reopen();
        void credentials.reload();
      },
      abandon: () => lock.releaseSync(),
    };
  } catch (error) {
    for (const step of undo) await step().catch(() => {});
    if (error instanceof StoreError)
      throw new FatalError('STORE_UNUSABLE', `db.url: ${error.message}`, { cause: error });
    throw error;
  }
}

/** @returns undefined when there is no such file */
async function readFileSettings(file: string): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    const document = parseProperties(await readFile(file));
    return new Map([...document.keys()].map(key => [key, document.get(key) ?? '']));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new ConfigError('FILE', file, `the file cannot be read: ${reasonOf(error)}`, { cause: error });
  }
}

/** Writes the initial values that the store has none for, and says where the store's own stand. */
async function initialConfiguration(
  store: Store,
  initial: ReadonlyMap<ParameterName, string>,
  address: string,
  log: Log,
): Promise<Configuration> {
  const standing = await store.initialiseConfiguration(new Map([['host', address], ...initial]));
  for (const [name, value] of initial) {
    const stands = standing.get(name);
    if (stands !== undefined) {
      log.warn('The value given is not used: the store has another one, which stands', { name, given: value, stands });
    }
  }
  const { configuration, invalid } = readConfiguration(await store.configuration());
  const [wrong] = invalid;
  if (wrong !== undefined) throw new ConfigError(`${wrong.name} (in the store)`, wrong.text, wrong.reason);
  if (!configuration.values.host.includes(address)) {
    log.warn('This server is not in host: agents are sent to the others only', {
      'cluster.node.IP': address,
      host: configuration.values.host,
    });
  }
  return configuration;
}

async function openCredentials(
  { tls, keyFile }: MgmtSettings,
  store: Store,
  self: { readonly address: string; readonly msid: number },
  log: Log,
): Promise<ServerCredentials> {
  if (tls !== undefined) {
    const source: CertificateSource = { kind: 'files', obtain: () => loadPemCredentials(tls, { clock }) };
    return ServerCredentials.open(source, clock, log);
  }
  const ca = await openCa(store, await openKeyFile(keyFile, { log }), { clock, random });
  const source: CertificateSource = {
    kind: 'issued',
    obtain: () => ca.issueServerCertificate({ addresses: [self.address], msid: self.msid }),
  };
  return ServerCredentials.open(source, clock, log);
}

await runEntry(entry);
