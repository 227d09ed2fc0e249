// A program that has the package alone: it embeds a management server, and an agent that registers with it.
// Argument: a folder for all files.
import { join } from 'node:path';
import { CheckHealthCommand } from 'muster';
import { type RunningAgent, readyLink, startAgent } from 'muster/agent';
import {
  type AgentsPort,
  composeNode,
  type ManagedHost,
  type ManagementNode,
  type ManagementServer,
  OperationError,
  openStore,
  readConfiguration,
  type Store,
  silentLog,
  startManagementServer,
  tcpAgentsPort,
} from 'muster/mgmt';

const [folder = ''] = process.argv.slice(2);
const dbUrl = `sqlite:${join(folder, 'muster.db')}`;
const overrides = {
  'db.url': dbUrl,
  'data.dir': join(folder, 'data'),
  'bind.address': '127.0.0.1',
  port: '0',
  'api.port': '0',
  'cluster.node.IP': '127.0.0.1',
};
const server: ManagementServer = await startManagementServer({ overrides, log: silentLog });
const { operations } = server.node;

await operations.changeConfiguration({ name: 'indirect.agent.lb.check.interval', value: '30' });
const refused = await operations.changeConfiguration({ name: 'ping.interval', value: '0' }).catch(error => error);
console.log(refused instanceof OperationError && refused.code, 'for', refused.argument);

const ready = new Promise<number>(resolve => server.on('ready', ({ id }) => resolve(id)));
const lost = new Promise<string>(resolve => server.on('lost', ({ name }) => resolve(name)));
// Without a certificate an agent may only enrol.
const { token } = await operations.createEnrollmentToken({ uses: 1 });
const agent: RunningAgent = await startAgent({
  file: join(folder, 'agent.properties'),
  overrides: { host: '127.0.0.1', port: String(server.port), 'enrollment.token': token },
  log: silentLog,
});
const outcome = await server.send(await ready, [CheckHealthCommand.encode({ wait: 5 })], { wait: 20 });
if (outcome.kind === 'answered') {
  console.log('healthy:', outcome.messages[0]?.fields.result, 'on', readyLink(agent.state)?.host);
}
const [host]: readonly ManagedHost[] = server.hosts();
console.log(host?.state, host?.where, host?.isHere);
await agent.stop();
console.log('lost:', (await lost) === host?.name);
await server.stop();

const store: Store = await openStore(dbUrl, { log: silentLog });
const { configuration } = readConfiguration(await store.configuration());
console.log('check interval:', configuration.values['indirect.agent.lb.check.interval']);

/** A server of one's own parts: compiled, and not started. */
export function ownNode(parts: Omit<Parameters<typeof composeNode>[0], 'agentsPort'>): ManagementNode {
  const port: AgentsPort = tcpAgentsPort({ address: '127.0.0.1', port: 0 });
  return composeNode({ ...parts, agentsPort: port });
}
await store.close();
