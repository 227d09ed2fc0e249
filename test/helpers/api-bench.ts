import { join } from 'node:path';
import type { Test } from 'tap';
import { API, isCommandName } from '../../src/api/commands/index.js';
import { dateText } from '../../src/api/moment.js';
import { sign } from '../../src/api/signature.js';
import type { ApiCommand, Field, Fields, SimpleField } from '../../src/api/table.js';
import { silentLog } from '../../src/lib/logger.js';
import { systemRandom } from '../../src/lib/random.js';
import type { ClusterEvent } from '../../src/mgmt/cluster/events.js';
import { type ObservedServer, observeServers } from '../../src/mgmt/cluster/observed-servers.js';
import { readConfiguration } from '../../src/mgmt/config/parameters.js';
import type { LinkStatus } from '../../src/mgmt/hosts/link-status.js';
import type { KnownRow } from '../../src/mgmt/hosts/own-view.js';
import { PresentLinks } from '../../src/mgmt/hosts/present-links.js';
import { Api, type ApiReply } from '../../src/mgmt/http/api.js';
import { handlersFor } from '../../src/mgmt/http/handlers/index.js';
import { newJob } from '../../src/mgmt/jobs/job-request.js';
import { operationsOf } from '../../src/mgmt/jobs/operations.js';
import { agentListOf, type ListSnapshot } from '../../src/mgmt/lists/agent-list.js';
import type { Survivor } from '../../src/mgmt/lists/survivability.js';
import { ApiKeys, type ApiKeysParts } from '../../src/mgmt/security/api-keys.js';
import { readHostCertificates } from '../../src/mgmt/security/host-certificates.js';
import { newCa } from '../../src/mgmt/security/new-ca.js';
import { sealUnder } from '../../src/mgmt/security/sealing-key.js';
import type { HostRow, JobRow, ServerDescription, ServerRow, Store } from '../../src/mgmt/store/store.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { openEmptyStore } from './empty-store.js';
import { hostDescription } from './host-description.js';
import { wholeHosts } from './one-host.js';
import { RecordingLog } from './recording-log.js';
import { testFolder } from './scratch.js';
import { storeOver } from './store-way.js';

export const KEYS = { apiKey: 'KEY', secretKey: 'SECRET' };
export const MSID_1 = 1001;
export const MSID_2 = 2002;

export interface Reply {
  readonly status: number;
  /** The one name in the envelope. */
  readonly name: string;
  // Whatever the command answers: tests look into it.
  // biome-ignore lint/suspicious/noExplicitAny: a test reads it as JSON
  readonly body: any;
  readonly isSigned: boolean;
}

/** An empty store. @param folder it is in muster.db there. @default a folder of the test's own */
export async function freshStore(t: Test, folder = testFolder(t)): Promise<Store> {
  const store = await openEmptyStore(join(folder, 'muster.db'), { log: silentLog });
  t.teardown(() => store.close());
  return store;
}

function serverDescription(msid: number, serviceIp: string): ServerDescription {
  return {
    msid,
    name: `ms-${msid}`,
    version: '0.1.0',
    serviceIp,
    osDistribution: 'Linux',
    kernelVersion: '6.1.0',
    lastBootTime: Date.UTC(2026, 0, 1),
  };
}

export async function claimServer(store: Store, msid: number, serviceIp: string): Promise<ServerRow> {
  const claim = { runId: `run-${msid}`, dataDirToken: `token-${msid}` };
  const claimed = await store.claimServer(serverDescription(msid, serviceIp), claim);
  if (!claimed.claimed) throw new Error(`${msid} is held`);
  // It serves agents.
  await store.heartbeat(msid, claim.runId, 8250);
  return claimed.server;
}

/** The HTTP API of server 1 over a real store, without its sockets; and what a test says the server's insides do. */
export async function apiBench(t: Test) {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const store = await freshStore(t);
  await store.initialiseConfiguration(new Map([['host', '192.0.2.1,192.0.2.2']]));
  const one = await claimServer(store, MSID_1, '192.0.2.1');
  const two = await claimServer(store, MSID_2, '192.0.2.2');
  const events: ClusterEvent[] = [];
  const bench = {
    clock,
    log,
    store,
    one,
    two,
    events,
    /** Links of this server. */
    links: [] as LinkStatus[],
    /** How often the server was told of a new configuration. */
    told: 0,
    /** What happens to a job that was made. */
    onJob: undefined as ((job: JobRow) => Promise<unknown>) | undefined,
    /** While it is set, every call to the store fails with it. */
    outage: undefined as Error | undefined,
    /** The server has noticed that the store is away. */
    isKnownAway: false,
    /** What the server knows without the store. */
    known: [] as KnownRow[],
    servers: [] as readonly ObservedServer[],
    survivors: new Map<string, Survivor>(),
    call,
    handle: (params: ReadonlyMap<string, string>, address = '198.51.100.1') => api.handle(params, address).then(read),
    addHosts,
  };
  let configuration = readConfiguration(await store.configuration()).configuration;
  const seen = failing(store, () => bench.outage);
  const observe = (rows: readonly ServerRow[]) => {
    const parts = { ownMsid: MSID_1, elapsedMs: undefined, intervalMs: 1_500, thresholdMs: 150_000 };
    // All of them have been heard.
    const before = observeServers([], { ...parts, rows: rows.map(row => ({ ...row, beat: row.beat - 1 })) });
    return observeServers(before, { ...parts, rows });
  };
  const snapshot = (): ListSnapshot => ({
    configuration,
    clusterIntervals: new Map(),
    avoided: [],
    zoneHostIds: () => [],
    assignedServer: () => undefined,
  });
  const ca = await newCa({ clock, random: systemRandom });
  const apiKeys = await openKeys({ clock, log, store: seen });
  const operationsFor = operationsOf({
    readServers: async () => observe(await seen.servers()),
    apiKeys,
    ca,
    clock,
    stopping: new AbortController().signal,
    store: seen,
    events: { add: event => void events.push(event) },
    configuration: () => configuration,
    address: '192.0.2.1',
    async startJob(job, createdBy = '192.0.2.1') {
      const row = await store.createJob(newJob(job, createdBy));
      await bench.onJob?.(row);
      return row;
    },
    async configurationChanged() {
      bench.told++;
      configuration = readConfiguration(await store.configuration()).configuration;
    },
    async stateChanged() {},
    tellOfJobs() {},
    jobMade() {},
    listFor: host => agentListOf(host, snapshot()),
  });
  const links = new PresentLinks({
    clock,
    store: seen,
    msid: MSID_1,
    ownLink: id => bench.links.find(({ hostId }) => hostId === id),
  });
  const handlers = handlersFor({
    clock,
    store: seen,
    operationsFor,
    observe,
    presentLinks: () => links.read(),
    hostCertificates: ids => readHostCertificates({ clock, store: seen, ca, configuration: () => configuration }, ids),
    ca,
    own: {
      msid: MSID_1,
      isNeeded: () => bench.isKnownAway,
      hosts: async () => bench.known,
      links: () => links.own(),
      servers: () => bench.servers,
      survivors: async () => bench.survivors,
    },
  });
  const api = new Api({
    clock,
    log,
    keys: apiKeys,
    handlers,
    store: seen,
    events: { add: event => void events.push(event) },
  });

  /** A signed request. @throws Error: the reply is not as the API's table says */
  async function call(command: string, params: RequestFields = {}): Promise<Reply> {
    const reply = await bench.handle(signed({ command, ...params }, KEYS, clock.wallTime()));
    const wrong = wrongReply(command, reply);
    if (wrong.length > 0) throw new Error(`${command}: ${wrong.slice(0, 10).join(', ')}`);
    return reply;
  }

  /** Hosts of zone `default` that are Up on a server: host-1, host-2 and so on. */
  async function addHosts(count: number, msid: number | null = MSID_1): Promise<readonly HostRow[]> {
    const zoneId = await store.zoneId('default');
    const from = (await wholeHosts(store)).length + 1;
    const descriptions = Array.from({ length: count }, (_, i) =>
      hostDescription(`guid-${from + i}`, zoneId, {
        name: `host-${from + i}`,
        privateIpAddress: `198.51.100.${from + i}`,
      }),
    );
    const hosts = (await store.registerHosts(descriptions)).map(({ host }) => host);
    const ready = { msHostList: '192.0.2.1,192.0.2.2@static', at: clock.wallTime() };
    if (msid !== null) await store.hostsReady(hosts.map(({ id }) => ({ id, msid, ...ready })));
    return Promise.all(hosts.map(async ({ id }) => (await store.host(id)) as HostRow));
  }

  return Object.assign(bench, { operations: operationsFor(), apiKeys, api, handlers });
}

/** What secrets of a test's store are sealed under. */
export const SEALING_KEY = sealUnder(new Uint8Array(32).fill(7), 'the key of the test');

/** The keys of a store that has `KEYS` for its operator, under the name `operator`. */
export async function openKeys(parts: Omit<ApiKeysParts, 'random' | 'sealingKey'>): Promise<ApiKeys> {
  // As an earlier version has left them: they become the first key.
  const { store } = parts;
  const former = 'api.keys';
  const sealed = SEALING_KEY.seal(former, Buffer.from(JSON.stringify(KEYS)));
  const withFormer = { ...store, secret: async () => sealed };
  return ApiKeys.open({ ...parts, store: withFormer, random: systemRandom, sealingKey: SEALING_KEY });
}

export type RequestFields = Readonly<Record<string, string | number | undefined>>;

let requests = 0;

/** Parameters as a client sends them: each is another request. @param wallTime of the client */
export function signed(params: RequestFields, keys = KEYS, wallTime = new FakeClock().wallTime()): Map<string, string> {
  const own = { signatureVersion: '3', expires: dateText(wallTime + 3_600_000), nonce: ++requests };
  const fields = Object.entries({ ...own, ...params, apiKey: keys.apiKey, response: 'json' });
  const all = new Map(fields.filter(([, value]) => value !== undefined).map(([k, v]) => [k, `${v}`]));
  all.set('signature', sign(all, keys.secretKey));
  return all;
}

function read({ status, body, isSigned }: ApiReply): Reply {
  const [[name = '', inside], ...others] = Object.entries(JSON.parse(body.join(''))) as [[string, unknown]];
  if (others.length > 0) throw new Error(`more than one name in the envelope: ${body.join('')}`);
  return { status, name, body: inside, isSigned };
}

function failing(store: Store, outage: () => Error | undefined): Store {
  return storeOver(store, async (_call, carryOut) => {
    const error = outage();
    if (error) throw error;
    return carryOut();
  });
}

const IS: Readonly<Record<SimpleField['type'], (value: unknown) => boolean>> = {
  string: value => typeof value === 'string',
  integer: value => Number.isSafeInteger(value),
  decimal: value => typeof value === 'number',
  boolean: value => typeof value === 'boolean',
  date: value => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000$/.test(value),
  map: isObject,
};

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What is not as the command's table says: fields that are not in it, that are missing, or of another type. */
export function wrongFields(command: string, object: Readonly<Record<string, unknown>>): string[] {
  const fields: ApiCommand['response']['fields'] = isCommandName(command) ? API[command].response.fields : {};
  return differences(fields, object);
}

function differences(fields: Fields, object: unknown, path = ''): string[] {
  if (!isObject(object)) return [`${path} is no object`];
  const missing = Object.entries(fields)
    .filter(([name, { optional }]) => !optional && object[name] === undefined)
    .map(([name]) => `${path}${name} is missing`);
  const wrong = Object.entries(object).flatMap(([name, value]) => {
    const field = fields[name];
    return field === undefined ? [`${path}${name} is not in the table`] : differenceOf(field, value, path + name);
  });
  return [...missing, ...wrong];
}

function differenceOf(field: Field, value: unknown, path: string): string[] {
  if (field.type !== 'list') return IS[field.type](value) ? [] : [`${path}=${JSON.stringify(value)}: no ${field.type}`];
  if (!Array.isArray(value)) return [`${path} is no list`];
  const { of } = field;
  return value.flatMap((item, index) =>
    of === 'string'
      ? differenceOf({ type: of, description: '' }, item, `${path}[${index}]`)
      : differences(of, item, `${path}[${index}].`),
  );
}

/** What of a whole reply is not as the table says. */
function wrongReply(command: string, { status, body }: Reply): string[] {
  if (status !== 200 || !isCommandName(command)) return [];
  const { response, isAsync }: ApiCommand = API[command];
  if (isAsync) return Object.keys(body).join() === 'jobid,id' ? [] : ['no job'];
  if (response.kind === 'plain') return wrongFields(command, body);
  if (response.kind === 'object') return wrongFields(command, body[response.object]);
  const { count: _count, warning: _warning, [response.object]: items = [], ...others } = body;
  return [
    ...Object.keys(others).map(name => `${name} is not in the table`),
    ...items.flatMap((item: Readonly<Record<string, unknown>>) => wrongFields(command, item)),
  ];
}
