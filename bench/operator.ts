import { systemClock } from '#dist/lib/clock.js';
import { silentLog } from '#dist/lib/logger.js';
import { systemRandom } from '#dist/lib/random.js';
import type { Configuration } from '#dist/mgmt/config/parameters.js';
import { type Handlers, type HandlersParts, handlersFor } from '#dist/mgmt/http/handlers/index.js';
import { type Operations, operationsOf } from '#dist/mgmt/jobs/operations.js';
import { type ApiKey, ApiKeys } from '#dist/mgmt/security/api-keys.js';
import { readHostCertificates } from '#dist/mgmt/security/host-certificates.js';
import { newCa } from '#dist/mgmt/security/new-ca.js';
import { sealUnder } from '#dist/mgmt/security/sealing-key.js';
import type { Store } from '#dist/mgmt/store/store.js';
import { ADDRESSES } from './filled-store.js';

interface OperatorParts extends Pick<HandlersParts, 'observe' | 'presentLinks' | 'own'> {
  readonly store: Store;
  configuration(): Configuration;
}

/** What an operator asks of a server that has no agents and no cluster, only a store. */
export interface Operator {
  readonly apiKeys: ApiKeys;
  readonly key: ApiKey;
  readonly calls: Operations;
  readonly handlers: Handlers;
}

export async function operatorOf({ store, configuration, ...shown }: OperatorParts): Promise<Operator> {
  const clock = systemClock;
  const ca = await newCa({ clock, random: systemRandom });
  const sealingKey = sealUnder(new Uint8Array(32), 'the bench');
  const apiKeys = await ApiKeys.open({ clock, random: systemRandom, log: silentLog, store, sealingKey });
  const [key] = apiKeys.all;
  if (key === undefined) throw new Error('there is no API key');
  const operationsFor = operationsOf({
    apiKeys,
    ca,
    clock,
    store,
    events: { add() {} },
    address: ADDRESSES[0] ?? '',
    configuration,
    readServers: async () => shown.observe(await store.servers()),
    startJob: () => Promise.reject(new Error('a job was started')),
    configurationChanged: async () => {},
    stateChanged: async () => {},
    stopping: new AbortController().signal,
    tellOfJobs() {},
    jobMade() {},
    listFor() {
      throw new Error('there is no canary');
    },
  });
  const handlers = handlersFor({
    ...shown,
    clock,
    store,
    operationsFor,
    hostCertificates: ids => readHostCertificates({ clock, store, ca, configuration }, ids),
    ca,
  });
  return { apiKeys, key, calls: operationsFor(key.name), handlers };
}
