// A program that has the package alone: it embeds a management server, and an agent that registers with it.
// Argument: a folder for all files.
import { join } from 'node:path';
import { CheckHealthCommand, LIMITS } from 'muster';
import { readyLink, startAgent } from 'muster/agent';
import {
  type AgentsPort,
  composeNode,
  type FatalError,
  type Log,
  type LogFields,
  type ManagementNode,
  OperationError,
  openStore,
  type RunningNode,
  readConfiguration,
  readSettings,
  type Store,
  silentLog,
  startNode,
  systemClock,
  tcpAgentsPort,
} from 'muster/mgmt';
import * as protocol from 'muster/protocol';

const [folder = ''] = process.argv.slice(2);
const dbUrl = `sqlite:${join(folder, 'muster.db')}`;

/** Where the server listens for agents stands in its log alone. */
let agentsPort: string | undefined;
const log: Log = {
  ...silentLog,
  info(message: string, fields: LogFields = {}) {
    if (message === 'Listening for agents') agentsPort = String(fields.port);
  },
};

const { settings, initial } = readSettings(
  new Map(),
  new Map([
    ['db.url', dbUrl],
    ['data.dir', join(folder, 'data')],
    ['bind.address', '127.0.0.1'],
    ['port', '0'],
    ['api.port', '0'],
    ['cluster.node.IP', '127.0.0.1'],
  ]),
);
const onFatal = (error: FatalError) => {
  console.error(error.code, error.message);
  process.exit(1);
};
const running: RunningNode = await startNode({ settings, initial, log, onFatal, onShutdown() {} });
const { operations, agents } = running.node;

await operations.changeConfiguration({ name: 'indirect.agent.lb.check.interval', value: '30' });
const refused = await operations.changeConfiguration({ name: 'ping.interval', value: '0' }).catch(error => error);
console.log(refused instanceof OperationError && refused.code, 'for', refused.argument);

// Without a certificate an agent may only enrol.
const { token } = await operations.createEnrollmentToken({ uses: 1 });
const { agent, stop } = await startAgent({
  file: join(folder, 'agent.properties'),
  overrides: { host: '127.0.0.1', port: agentsPort ?? '', 'enrollment.token': token },
  log: silentLog,
});
while (agents.registry.size === 0) await new Promise<void>(resolve => systemClock.after(20, resolve));
const [attache] = agents.registry;
const health = await attache?.ask([CheckHealthCommand.encode({ wait: 5 })]);
console.log('healthy:', health?.messages[0]?.fields.result, 'on', readyLink(agent.state)?.host);
await stop();
await running.stop('SIGTERM');

const store: Store = await openStore(dbUrl, { log });
const { configuration } = readConfiguration(await store.configuration());
console.log('check interval:', configuration.values['indirect.agent.lb.check.interval']);

/** A server of one's own parts: compiled, and not started. */
export function ownNode(parts: Omit<Parameters<typeof composeNode>[0], 'agentsPort'>): ManagementNode {
  const port: AgentsPort = tcpAgentsPort({ address: '127.0.0.1', port: 0 });
  return composeNode({ ...parts, agentsPort: port });
}
await store.close();
console.log('one protocol:', protocol.LIMITS === LIMITS);
