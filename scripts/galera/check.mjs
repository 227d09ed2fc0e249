import { setTimeout as sleep } from 'node:timers/promises';
import { Agents } from './agents.mjs';
import { Clients } from './clients.mjs';
import { DATABASES } from './cluster.mjs';
import { Servers } from './servers.mjs';
import { seconds, Trial } from './trial.mjs';

const AGENTS = 30;
/** From a node's death on, all that may come of it has to have come by then. */
const SETTLE_MS = 8_000;
const NEW_AGENT_LIMIT_MS = 30_000;
const ELSEWHERE_LIMIT_MS = 5_000;
const STORED_LIMIT_MS = 15_000;
const HOME_LIMIT_MS = 60_000;
/** The database has the node's death behind it by then, and clients that still cannot write are stuck. */
const GAP_LIMIT_MS = 6_000;

/** Management servers, agents and store clients on a cluster that loses each node in turn. @returns whether all held */
export async function runCheck(cluster, folder) {
  const trial = new Trial();
  const servers = new Servers(cluster, folder);
  await servers.start();
  console.log(`${servers.all.length} management servers listen on ${servers.all.map(({ address }) => address).join()}`);
  const agents = new Agents(folder, servers.agentPort);
  const clients = await Clients.open(cluster);
  const world = { trial, cluster, servers, agents, clients };
  await startAgents(world);
  for (const [index, node] of cluster.nodes.entries()) {
    await loseNode(world, node, servers.all[index], servers.all[(index + 1) % servers.all.length]);
  }
  await compareAll(world);
  if (trial.wrong.length > 0) await printLogs(servers);
  await agents.stop();
  await clients.close();
  return trial.summary();
}

async function startAgents({ trial, agents, servers }) {
  for (let i = 0; i < AGENTS; i++) {
    const agent = await agents.add();
    agent.start();
    // The first pins the CA for all.
    if (i === 0) await trial.within(HOME_LIMIT_MS, () => agent.host !== undefined, 'the first agent is not Ready');
  }
  const areHome = () => agents.all.every(({ isHome }) => isHome);
  await trial.within(HOME_LIMIT_MS, areHome, 'not all agents are Ready on their preferred servers');
  console.log(`${AGENTS} agents are Ready: ${servers.all.map(({ address }) => agents.on(address).length).join(', ')}`);
}

/**
 * @param struck the management server that is killed while the node is gone
 * @param other one that goes on
 */
async function loseNode({ trial, servers, agents, clients }, node, struck, other) {
  trial.begin(node.name);
  clients.begin(node.name);
  await sleep(1_000);

  let losses = agents.losses;
  await node.kill();
  const killedAt = performance.now();
  trial.say('killed (kill -9)');
  const newcomer = await agents.add();
  newcomer.start();
  const newMs = await trial.within(NEW_AGENT_LIMIT_MS, () => newcomer.host !== undefined, 'no new agent can register');
  trial.measure('a new agent is Ready after', seconds(newMs));
  await sleep(Math.max(0, killedAt + SETTLE_MS - performance.now()));
  trial.measure('links lost without the node', agents.losses - losses);
  trial.expect(agents.losses === losses, 'agents lost their links');

  losses = agents.losses;
  const orphans = agents.on(struck.address);
  trial.expect(orphans.length > 0, `${struck.address} has no agents to lose`);
  await struck.kill();
  trial.say(`${struck.address} killed as well (kill -9), with ${orphans.length} agents`);
  const elsewhere = () => orphans.every(({ host }) => host !== undefined && host !== struck.address);
  const orphanedAt = performance.now();
  const elsewhereMs = await trial.within(ELSEWHERE_LIMIT_MS, elsewhere, `agents of ${struck.address} are nowhere`);
  trial.measure("a server's agents are Ready elsewhere after", seconds(elsewhereMs));
  const isStored = async () => (await differences(servers, agents, other)).length === 0;
  const inTime = `listAgentLinks of ${other.address} does not say where the agents are`;
  const isInTime = await trial.within(STORED_LIMIT_MS, isStored, inTime);
  trial.measure(
    '… and in the store, as listAgentLinks says, after',
    seconds(isInTime && performance.now() - orphanedAt),
  );

  const startedAt = performance.now();
  await struck.start();
  trial.say(`${struck.address} started again`);
  trial.measure('the server is back after', seconds(performance.now() - startedAt));
  const areHome = () => agents.all.every(({ isHome }) => isHome);
  const homeMs = await trial.within(HOME_LIMIT_MS, areHome, 'agents do not come home');
  trial.measure('all agents are on their preferred servers after', seconds(homeMs));

  const backAt = performance.now();
  const transfer = await node.comeBack();
  trial.say(`back and Synced, by ${transfer}`);
  trial.measure('the node is Synced after', `${seconds(performance.now() - backAt)} (${transfer})`);
  await sleep(1_000);
  trial.measure('links lost to the server, and else', `${orphans.length}, ${agents.losses - losses - orphans.length}`);
  trial.expect(agents.losses === losses + orphans.length, 'agents lost links that nobody had cut');

  const { hosts, longestGapMs, failures, wrong } = await clients.end();
  trial.measure('hosts that store clients wrote', hosts);
  trial.measure('… longest gap', seconds(longestGapMs));
  trial.measure('… calls that failed', failures);
  trial.expect(longestGapMs < GAP_LIMIT_MS, `a store client could not write for ${seconds(longestGapMs)}`);
  for (const line of wrong) trial.expect(false, line);
}

/** Where an operator is told something else than the agents know. @returns lines; one when there was no answer */
async function differences(servers, agents, server) {
  const links = await servers.links(server);
  if (links === undefined) return [`${server.address} does not answer`];
  const rows = links.map(({ hostname, state, connectedhost }) => ({ name: hostname, state, at: connectedhost }));
  return compare(agents, rows).map(line => `${server.address}: ${line}`);
}

/** Each agent once, Up, and on the server that it is on. */
function compare(agents, rows) {
  const lines = agents.all.flatMap(({ name, host }) => {
    const found = rows.filter(row => row.name === name);
    const said = found.map(({ state, at }) => `${state} on ${at}`).join(' and ') || 'unknown';
    return said === `Up on ${host}` ? [] : [`${name} is ${said}, not Up on ${host}`];
  });
  if (rows.length !== agents.all.length) lines.push(`${rows.length} hosts, not ${agents.all.length}`);
  return lines;
}

/** What the agents know, every server says, and every node holds. */
async function compareAll({ trial, cluster, servers, agents }) {
  trial.begin('at the end');
  const ids = new Set(agents.all.map(({ id }) => id));
  trial.expect(ids.size === agents.all.length, 'two agents were given the same id');
  for (const server of servers.all) {
    for (const line of await differences(servers, agents, server)) trial.expect(false, line);
  }
  const { servers: database } = DATABASES;
  for (const node of cluster.nodes) {
    const rows = await node.read(`select host.id, host.name, host.status as state, mshost.service_ip as at
      from ${database}.host left join ${database}.mshost on mshost.msid = host.mgmt_server_id`);
    for (const line of compare(agents, rows)) trial.expect(false, `${node.name}: ${line}`);
    for (const { name, id } of agents.all) {
      const has = rows.find(row => row.name === name)?.id;
      trial.expect(has === id, `${node.name}: ${name} has id ${has}, and was told ${id}`);
    }
  }
  trial.say(
    `${agents.all.length} agents compared with ${servers.all.length} servers and ${cluster.nodes.length} nodes`,
  );
}

async function printLogs(servers) {
  for (const server of servers.all) {
    const lines = (await server.log()).split('\n').filter(line => /\b(warn|error)\b/i.test(line));
    console.log(`\nLast warnings of ${server.address}:\n${lines.slice(-20).join('\n')}`);
  }
}
