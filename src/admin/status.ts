import { wrapWords } from '../lib/text/wrap-words.js';
import { age } from './age.js';
import { type ApiAnswer, type ApiCall, rowsOf } from './client.js';
import { formatTable } from './table.js';

/** How many agents that are not on their preferred host are listed; the rest is counted. */
const NAMED = 20;
const INDENT = '  ';
/** Of a warning where the output is no terminal. */
const DEFAULT_WIDTH = 80;

/** What the screen shows. */
export interface ClusterStatus {
  readonly servers: readonly ApiAnswer[];
  /** How many there are. */
  readonly agents: number;
  readonly up: number;
  /** Links of agents that are not on their preferred host, 20 at most. */
  readonly astray: readonly ApiAnswer[];
  /** How many there are of them. */
  readonly astrayCount: number;
  /** Agents whose certificate is due to be renewed, has ended or was revoked. */
  readonly expiringCount: number;
  /** The CAs that count: two while one takes the place of the other. */
  readonly authorities: readonly ApiAnswer[];
  /** Why this is not all that there is. */
  readonly warning?: string;
}

/** @throws ApiFailure, Unreachable */
export async function readStatus(call: ApiCall): Promise<ClusterStatus> {
  const [servers, all, up, astray, expiring, authorities] = await Promise.all([
    call('listManagementServers'),
    call('listAgentLinks', { pagesize: '1' }),
    call('listAgentLinks', { pagesize: '1', state: 'Up' }),
    call('listAgentLinks', { pagesize: String(NAMED), astray: 'true' }),
    call('listAgentLinks', { pagesize: '1', expiring: 'true' }),
    call('listCertificateAuthorities'),
  ]);
  const warning = [servers, all, up, astray].map(answer => answer.warning).find(found => typeof found === 'string');
  return {
    ...(typeof warning === 'string' && { warning }),
    servers: rowsOf(servers.managementserver),
    agents: countOf(all),
    up: countOf(up),
    astray: rowsOf(astray.agentlink),
    astrayCount: countOf(astray),
    expiringCount: countOf(expiring),
    authorities: rowsOf(authorities.certificateauthority).filter(({ state }) => state !== 'dropped'),
  };
}

/**
 * The screen, as text. Pure.
 * @param wallTime milliseconds since 1970
 * @param width of the terminal, in characters; undefined: nothing is cut
 */
export function statusScreen(status: ClusterStatus, wallTime: number, width?: number): string {
  const { servers, agents, up, astray, astrayCount, expiringCount, authorities, warning } = status;
  const table = (rows: string[][]) => formatTable(rows, width && width - INDENT.length).map(line => INDENT + line);
  const serverRows = servers.map(server => [
    text(server.name),
    stateOf(server),
    text(server.ipaddress),
    text(server.agentscount),
    text(server.pendingjobscount),
    text(server.version),
    age(isRunning(server) ? server.lastserverstart : undefined, wallTime),
  ]);
  const agentRows = astray.map(link => [
    text(link.hostname),
    text(link.state),
    text(link.connectedhost) || '-',
    text(link.preferredhost) || '-',
    age(link.state === 'Up' ? link.since : link.disconnected, wallTime),
    whyAstray(link, servers),
  ]);
  return [
    ...(warning === undefined ? [] : [...wrapWords(`Warning: ${warning}`, width ?? DEFAULT_WIDTH), '']),
    'Management servers',
    ...table([['NAME', 'STATE', 'ADDRESS', 'AGENTS', 'JOBS', 'VERSION', 'UP FOR'], ...serverRows]),
    '',
    `Agents: ${agents} in all, ${up} up, ${agents - up} not, ${astrayCount} not where they should be`,
    ...(astrayCount === 0 ? [] : table([['HOST', 'STATE', 'IS ON', 'PREFERS', 'FOR', 'WHY'], ...agentRows])),
    ...(astrayCount > astray.length ? [`  … and ${astrayCount - astray.length} more: listAgentLinks astray=true`] : []),
    ...(expiringCount === 0
      ? []
      : ['', `Certificates: ${expiringCount} due, expired or revoked: listAgentLinks expiring=true`]),
    ...(authorities.length > 1 ? ['', ...authorities.map(rotationLine)] : []),
    '',
  ].join('\n');
}

/** How far one CA has taken the place of the other. */
function rotationLine({ name, state, hostsbehind, hostsbehindup }: ApiAnswer): string {
  const behind = `${text(hostsbehind)} hosts (${text(hostsbehindup)} Up)`;
  if (state === 'introduced') return `CA ${text(name)}: introduced; ${behind} do not trust it yet`;
  if (state === 'issuing') return `CA ${text(name)}: issues; ${behind} have no certificate of it yet`;
  return `CA ${text(name)}: trusted, until dropCertificateAuthority drops it`;
}

/** The state of its row, and that of its process where the first does not tell it. */
function stateOf({ state, processstate, heartbeatage }: ApiAnswer): string {
  if (state === 'Down') return 'Down';
  if (processstate === 'Silent') return `${text(state)}, silent ${text(heartbeatage)} s`;
  return processstate === 'Stopped' ? `${text(state)}, stopped` : text(state);
}

function isRunning({ state, processstate }: ApiAnswer): boolean {
  return state !== 'Down' && processstate !== 'Stopped';
}

/** The state of its preferred host, where that is a reason, and how it lost the link before this one. */
function whyAstray(
  { state, connectedhost, preferredhost, lastloss }: ApiAnswer,
  servers: readonly ApiAnswer[],
): string {
  const preferred = text(preferredhost);
  const reasons: string[] = [];
  if (preferred === '') reasons.push('no list yet');
  else if (state === 'Up') {
    // Several servers may have had the address, one after the other. The last one counts.
    const server = servers.findLast(({ ipaddress }) => ipaddress === preferred);
    if (server === undefined) reasons.push(`no server has the address ${preferred}`);
    else if (server.state === 'Up' && server.processstate === 'Silent') reasons.push(`${preferred} is silent`);
    else if (server.state !== 'Up') reasons.push(`${preferred} is ${stateOf(server)}`);
  }
  // An agent that is on the host again that it had lost is not there because of that.
  const isOver = state === 'Up' && text(lastloss).startsWith(`${text(connectedhost)}: `);
  if (text(lastloss) !== '' && !isOver) reasons.push(text(lastloss));
  // It moves at its next check of the preferred host, if it checks at all.
  return reasons.join('; ') || 'not moved yet';
}

function text(value: unknown): string {
  return value === undefined || value === null ? '' : String(value);
}

function countOf({ count }: ApiAnswer): number {
  return typeof count === 'number' ? count : 0;
}
