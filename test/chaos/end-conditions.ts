import type { ApiAnswer } from '../../src/admin/client.js';
import { reasonOf } from '../../src/lib/errors.js';
import { parseProperties } from '../../src/lib/files/properties.js';
import type { World } from './world.js';

/** More of one kind are counted. */
const MOST_TOLD = 3;

/** What must hold once faults have stopped, and does not hold now. */
export interface Unmet {
  readonly broken: readonly string[];
  /** Agents that are not on their preferred servers. */
  readonly astray: readonly Astray[];
}

export interface Astray {
  readonly name: string;
  readonly host: string;
  readonly preferred: string;
}

export async function whatDoesNotHold(world: World): Promise<Unmet> {
  const { ledger, operator, agents } = world;
  if (!world.areAllReady) {
    const missing = agents.names.filter(name => ledger.hosts.get(name) === undefined);
    return { broken: [several('without a Ready link', [...new Set([...ledger.without, ...missing])])], astray: [] };
  }
  try {
    const servers = await operator.list('listManagementServers', 'managementserver');
    const hosts = await operator.list('listHosts', 'host');
    const links = await operator.list('listAgentLinks', 'agentlink');
    const jobs = await operator.list('listAsyncJobs', 'asyncjobs');
    const broken = [
      ...faultsOf(
        'server',
        servers.map(server => [String(server.name), serverFault(server)]),
      ),
      ...(hosts.length === agents.names.length ? [] : [`${hosts.length} hosts are known, not ${agents.names.length}`]),
      ...faultsOf(
        'host',
        hosts.map(host => [String(host.name), hostFault(host, links)]),
      ),
      ...faultsOf(
        'agent',
        agents.names.map(name => [
          name,
          linkFault(
            links.find(({ hostname }) => hostname === name),
            ledger.hosts.get(name),
          ),
        ]),
      ),
      ...faultsOf(
        'file',
        await Promise.all(agents.names.map(async name => [name, await fileFault(world, name, links)] as const)),
      ),
      ...faultsOf(
        'job',
        jobs.map(job => [
          String(job.jobid),
          job.jobstatus === 0 ? `${String(job.cmd)} is under way: ${String(job.progress)}` : undefined,
        ]),
      ),
      ...(await outcomes(world, jobs)),
    ];
    return { broken, astray: links.filter(({ ispreferred }) => ispreferred !== true).map(astrayOf) };
  } catch (error) {
    return { broken: [`no server tells how it is: ${reasonOf(error)}`], astray: [] };
  }
}

function serverFault({ state, processstate }: ApiAnswer): string | undefined {
  return state === 'Up' && processstate === 'Running' ? undefined : `is ${String(state)}, ${String(processstate)}`;
}

/** The store has each host where its link is. */
function hostFault(host: ApiAnswer, links: readonly ApiAnswer[]): string | undefined {
  if (host.state !== 'Up') return `is ${String(host.state)}`;
  const link = links.find(({ hostid }) => hostid === host.id);
  return link?.managementserverid === host.managementserverid ? undefined : 'is at another server than its link';
}

/** @param host of the Ready link, as the agent says */
function linkFault(link: ApiAnswer | undefined, host: string | undefined): string | undefined {
  if (link === undefined) return 'has no link that a server knows';
  const { state, connectedhost, lag } = link;
  if (state !== 'Up') return `has a link that is ${String(state)}`;
  if (connectedhost !== host) return `is on ${host}, and the servers say on ${String(connectedhost)}`;
  return lag === undefined ? undefined : `has not taken its list: ${String(lag)}`;
}

function astrayOf({ hostname, connectedhost, preferredhost }: ApiAnswer): Astray {
  return { name: String(hostname), host: String(connectedhost), preferred: String(preferredhost) };
}

export function astrayText({ name, host, preferred }: Astray): string {
  return `${name} is on ${host}, and prefers ${preferred}`;
}

/** The file is whole, and has the list of the newest configuration. */
async function fileFault({ agents }: World, name: string, links: readonly ApiAnswer[]): Promise<string | undefined> {
  const document = parseProperties(Buffer.from(await agents.properties(name)));
  const link = links.find(({ hostname }) => hostname === name);
  const list = Array.isArray(link?.hostlist) ? link.hostlist.join(',') : '';
  const host = document.get('host') ?? '';
  if (host.split('@')[0] !== list) return `has host=${host}, and its list is ${list}`;
  if (document.get('guid') !== undefined && document.get('guid') !== name) return `has guid=${document.get('guid')}`;
  return document.get('last.setup.completed.host') === undefined ? 'has lost last.setup.completed.host' : undefined;
}

/** Every command has an outcome at every host. */
async function outcomes({ operator }: World, jobs: readonly ApiAnswer[]): Promise<readonly string[]> {
  const open: string[] = [];
  for (const { jobid, cmd } of jobs) {
    if (cmd !== 'sendCommand') continue;
    const results = await operator.list('listCommandResults', 'commandresult', { jobid: String(jobid) });
    const waiting = results.filter(({ outcome }) => outcome === 'waiting' || outcome === 'sent');
    if (waiting.length > 0) open.push(`job ${String(jobid)} has no outcome at ${waiting.length} hosts`);
  }
  return open;
}

function faultsOf(kind: string, all: readonly (readonly [string, string | undefined])[]): readonly string[] {
  const faults = all.flatMap(([name, fault]) => (fault === undefined ? [] : [`${name} ${fault}`]));
  return faults.length === 0 ? [] : [several(`${kind}: ${faults.length}`, faults)];
}

/** The first ones, and how many more there are. */
export function several(what: string, names: readonly string[]): string {
  const more = names.length - MOST_TOLD;
  return `${what}: ${names.slice(0, MOST_TOLD).join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}
