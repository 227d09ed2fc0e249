// Management servers, agents and store clients on a Galera cluster that loses each node in turn: npm run test:galera.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Cluster, type GaleraNode, requireInstalled } from '../../scripts/galera/cluster.js';
import { DEFAULT_FIRST_PORT, requireFreePort, requireFreePorts } from '../../scripts/galera/ports.js';
import { endAll, untilInterrupted } from '../../scripts/galera/processes.js';
import { Agents } from './galera/agents.js';
import { CLIENTS_DATABASE, StoreClients } from './galera/clients.js';
import { ADDRESSES, type ServerProcess, Servers, serverPorts } from './galera/servers.js';
import { say, seconds, Trial } from './galera/trial.js';

const AGENTS = 30;
/** After this time a node's death has had all its effects. */
const SETTLE_MS = 8_000;
const NEW_AGENT_LIMIT_MS = 30_000;
const ELSEWHERE_LIMIT_MS = 5_000;
const STORED_LIMIT_MS = 15_000;
const HOME_LIMIT_MS = 60_000;
/** Galera gives up a dead node sooner: a client that still cannot write then is stuck. */
const GAP_LIMIT_MS = 6_000;

requireInstalled();
const firstPort = await freeFirstPort();
const folder = await mkdtemp(join(tmpdir(), 'muster-galera-'));
const trial = new Trial();
const cluster = new Cluster(firstPort, folder, [CLIENTS_DATABASE]);
const servers = new Servers(cluster, folder);
const agents = new Agents(folder, servers.agentPort);
let token = '';

async function removeAll(): Promise<void> {
  await endAll();
  // An agent may just be writing its properties.
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}
t.teardown(removeAll);
untilInterrupted().then(async () => {
  await removeAll();
  process.exit(130);
});

t.setTimeout(600_000);

t.test('galera: servers start at the same moment on the empty database, and agents are Ready', async t => {
  await cluster.start(say);
  await servers.start();
  say(`${servers.all.length} management servers listen on ${ADDRESSES}`);
  const { within } = trial.begin('start', t);
  // And one for each node that is lost.
  token = await servers.enrolmentToken(AGENTS + cluster.nodes.length);
  for (let number = 1; number <= AGENTS; number++) (await agents.add(token)).start();
  await within(HOME_LIMIT_MS, () => agents.areAllHome, 'all agents are Ready on their preferred hosts');
  say(`${AGENTS} agents are Ready: ${ADDRESSES.map(address => agents.on(address).length).join(', ')}`);
});

t.test('galera: no link and no write is lost with a node', async t => {
  const clients = await StoreClients.open(cluster);
  for (const [index, node] of cluster.nodes.entries()) {
    const [struck, other] = [servers.all[index], servers.all[(index + 1) % servers.all.length]];
    if (!struck || !other) throw new Error('there are as many servers as nodes');
    await t.test(node.name, t => loseNode(t, node, clients, struck, other));
  }
  await clients.close();
});

t.test('galera: at the end agents, servers and nodes agree', async t => {
  const ids = new Set(agents.all.map(({ hostId }) => hostId));
  t.equal(ids.size, agents.all.length, 'each agent has a host id of its own');
  for (const server of servers.all) t.strictSame(await differencesFrom(server), [], `as ${server.address} says`);
  for (const node of cluster.nodes) {
    const rows = await node.read(`select host.id, host.name, host.status as state, mshost.service_ip as host
      from muster.host left join muster.mshost on mshost.msid = host.mgmt_server_id`);
    const listed = rows.map(({ id, name, state, host }) => ({ id, name, state, host }));
    t.strictSame(differences(listed), [], `as ${node.name} has it`);
    const idsOf = (all: readonly { readonly name: string; readonly id: unknown }[]) =>
      Object.fromEntries(all.map(({ name, id }) => [name, id]));
    const told = agents.all.map(({ name, hostId }) => ({ name, id: hostId }));
    t.strictSame(idsOf(listed), idsOf(told), `${node.name} has the ids that the agents were told`);
  }
  await agents.stop();
  say(`\n${trial.table()}\n`);
  if (!t.passing()) await sayWarnings();
});

/**
 * @param struck the management server that is killed while the node is gone
 * @param other one that goes on
 */
async function loseNode(
  t: Test,
  node: GaleraNode,
  clients: StoreClients,
  struck: ServerProcess,
  other: ServerProcess,
): Promise<void> {
  const { say, measure, within } = trial.begin(node.name, t);
  clients.begin(node.name);
  await sleep(1_000);

  let lostBefore = agents.linksLost;
  await node.kill();
  const killedAt = performance.now();
  say('killed (kill -9)');
  const newcomer = await agents.add(token);
  newcomer.start();
  const newMs = await within(NEW_AGENT_LIMIT_MS, () => newcomer.host !== undefined, 'a new agent is Ready');
  measure('a new agent is Ready after', seconds(newMs));
  await sleep(Math.max(0, killedAt + SETTLE_MS - performance.now()));
  measure('links lost without the node', agents.linksLost - lostBefore);
  t.equal(agents.linksLost, lostBefore, 'no agent loses its link');

  lostBefore = agents.linksLost;
  const orphans = agents.on(struck.address);
  t.not(orphans.length, 0, `${struck.address} has agents`);
  await struck.kill();
  say(`${struck.address} killed as well (kill -9), with ${orphans.length} agents`);
  const orphanedAt = performance.now();
  const areElsewhere = () => orphans.every(({ host }) => host !== undefined && host !== struck.address);
  const elsewhereMs = await within(ELSEWHERE_LIMIT_MS, areElsewhere, `agents of ${struck.address} are Ready elsewhere`);
  measure("a server's agents are Ready elsewhere after", seconds(elsewhereMs));
  const isStored = async () => (await differencesFrom(other)).length === 0;
  const storedMs = await within(STORED_LIMIT_MS, isStored, `listAgentLinks of ${other.address} says where they are`);
  measure(
    '… and in the store, as listAgentLinks says, after',
    seconds(storedMs === undefined ? undefined : performance.now() - orphanedAt),
  );

  const startedAt = performance.now();
  await struck.start();
  say(`${struck.address} started again`);
  measure('the server is back after', seconds(performance.now() - startedAt));
  const homeMs = await within(HOME_LIMIT_MS, () => agents.areAllHome, 'all agents are on their preferred hosts again');
  measure('all agents are on their preferred servers after', seconds(homeMs));

  const backAt = performance.now();
  const transfer = await node.comeBack();
  say(`back and Synced, by ${transfer}`);
  measure('the node is Synced after', `${seconds(performance.now() - backAt)} (${transfer})`);
  await sleep(1_000);
  const lostOtherwise = agents.linksLost - lostBefore - orphans.length;
  measure('links lost to the server, and else', `${orphans.length}, ${lostOtherwise}`);
  t.equal(lostOtherwise, 0, 'only links to the killed server are lost');

  const { hosts, longestGapMs, failures, lost } = await clients.end();
  measure('hosts that store clients wrote', hosts);
  measure('… longest gap', seconds(longestGapMs));
  measure('… calls that failed', failures);
  t.ok(longestGapMs < GAP_LIMIT_MS, `every store client can write again after ${seconds(GAP_LIMIT_MS)}`);
  t.strictSame(lost, [], 'every node has what the store clients were told is stored');
}

interface ListedHost {
  readonly name: string;
  readonly state: string;
  readonly host: string | undefined;
}

/** Where this server tells an operator something else than the agents know. @returns lines; one when it does not answer */
async function differencesFrom(server: ServerProcess): Promise<string[]> {
  const links = await servers.links(server);
  if (links === undefined) return [`${server.address} does not answer`];
  return differences(links.map(({ hostname, state, connectedhost: host }) => ({ name: hostname, state, host })));
}

/** Each agent is to be listed once, Up, and on the server that it is Ready on. */
function differences(listed: readonly ListedHost[]): string[] {
  const lines = agents.all.flatMap(({ name, host }) => {
    const found = listed.filter(row => row.name === name);
    const said = found.map(row => `${row.state} on ${row.host}`).join(' and ') || 'unknown';
    return said === `Up on ${host}` ? [] : [`${name} is ${said}, not Up on ${host}`];
  });
  if (listed.length !== agents.all.length) lines.push(`${listed.length} hosts, not ${agents.all.length}`);
  return lines;
}

async function sayWarnings(): Promise<void> {
  for (const server of servers.all) {
    const lines = (await server.log()).split('\n').filter(line => /\b(warn|error)\b/i.test(line));
    say(`\nLast warnings of ${server.address}:\n${lines.slice(-20).join('\n')}`);
  }
}

/** The first of a range in which the cluster and the servers find all their ports free. */
async function freeFirstPort(): Promise<number> {
  for (let candidate = DEFAULT_FIRST_PORT; ; candidate += 10) {
    try {
      await requireFreePorts(candidate);
      for (const address of ADDRESSES) {
        for (const port of Object.values(serverPorts(candidate))) await requireFreePort(address, port);
      }
      return candidate;
    } catch (error) {
      if (candidate >= DEFAULT_FIRST_PORT + 80) throw error;
    }
  }
}
