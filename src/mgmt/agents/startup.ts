import { reasonOf } from '../../lib/errors.js';
import { PEER_TEXT_LENGTH, peerText } from '../../lib/text/peer-text.js';
import { type HostList, parseReportedList } from '../../protocol/host-list.js';
import {
  AGENT_MOVE_KINDS,
  type AgentMoveKind,
  type Packet,
  ProtocolError,
  StartupRoutingCommand,
} from '../../protocol/index.js';
import type { HostDescription } from '../store/store.js';
import { agentTags } from './host-tags.js';

/** The fields of a Startup that the server uses. */
export interface Startup {
  readonly guid: string;
  /** The zone's name or id, as the agent has it. */
  readonly dataCenter: string;
  readonly reportedList: HostList;
  readonly connectionTransferred: boolean;
  readonly arch: string | undefined;
  /** Whether the agent has sent `muster`, and may be sent it. */
  readonly speaksMuster: boolean;
  readonly instanceId: string | undefined;
  /** Which of the agent process's links it is; later ones have greater numbers. */
  readonly linkNumber: number | undefined;
  /** What the agent can do beyond CloudStack's protocol. */
  readonly capabilities: ReadonlySet<string>;
  /** How many links the agent has lost since its process started. Muster's agents alone say so. */
  readonly failovers: number | undefined;
  /** Why it lost the last of them, in its words. */
  readonly lastLoss: string | undefined;
  /** Why it comes, if it says so. */
  readonly moveKind: AgentMoveKind | undefined;
  readonly privateIpAddress: string | undefined;
  /** The enrolment token of an agent without a certificate. A secret, and not checked yet. */
  readonly token: string | undefined;
  /** What the store keeps of the host. Long texts are cut. */
  description(zoneId: number): HostDescription;
}

/** What an agent says beyond this is not kept. */
const MOST_CAPABILITIES = 64;

const STARTUP_CLASS = /^com\.cloud\.agent\.api\.Startup\w*Command$/;

/** Whether a request is a Startup: as in CloudStack, its first command decides. */
export function isStartup({ messages }: Packet): boolean {
  const [first] = messages;
  return first !== undefined && STARTUP_CLASS.test(first.type);
}

/** Whether a request is a Startup with an enrolment token, right or wrong. */
export function hasToken(request: Packet): boolean {
  if (!isStartup(request)) return false;
  const startup = readStartup(request);
  return !('refusal' in startup) && startup.token !== undefined;
}

/** @returns what the Startup says, or why it cannot be used */
export function readStartup({ messages }: Packet): Startup | { readonly refusal: string } {
  const command = messages.find(StartupRoutingCommand.is) ?? messages[0];
  if (command === undefined) return { refusal: 'no startup command' };
  let fields: ReturnType<typeof StartupRoutingCommand.decode>;
  try {
    fields = StartupRoutingCommand.decode(command);
  } catch (error) {
    if (error instanceof ProtocolError) return { refusal: reasonOf(error) };
    throw error;
  }
  const { guid, name, muster } = fields;
  const arch = clean(fields.arch ?? fields.cpuArch, 32);
  if (guid === undefined || guid.trim() === '') return { refusal: 'the startup command has no guid' };
  if (guid.length > PEER_TEXT_LENGTH) return { refusal: `the guid is longer than ${PEER_TEXT_LENGTH} characters` };
  // Cleaned, two guids could become one.
  if (guid !== peerText(guid)) return { refusal: 'the guid has characters that are not allowed in one' };
  return {
    guid,
    dataCenter: peerText(fields.dataCenter ?? ''),
    reportedList: parseReportedList(fields.msHostList),
    connectionTransferred: fields.connectionTransferred,
    arch: arch ?? undefined,
    speaksMuster: muster !== undefined,
    instanceId: clean(muster?.instanceId ?? fields.instanceId) ?? undefined,
    linkNumber: muster?.link !== undefined && muster.link >= 0 ? muster.link : undefined,
    capabilities: new Set(muster?.capabilities?.slice(0, MOST_CAPABILITIES)),
    failovers: muster?.failovers ?? fields.failovers,
    lastLoss: clean(muster?.lastLoss ?? fields.lastLoss) ?? undefined,
    moveKind: agentMoveKind(muster?.moveKind),
    privateIpAddress: clean(fields.privateIpAddress) ?? undefined,
    token: muster?.token,
    description: zoneId => ({
      guid,
      name: clean(name) ?? clean(fields.privateIpAddress) ?? guid,
      type: clean(fields.type, 32) ?? 'Routing',
      zoneId,
      pod: clean(fields.pod),
      cluster: clean(fields.cluster),
      privateIpAddress: clean(fields.privateIpAddress, 40),
      version: clean(fields.version),
      hypervisorType: clean(fields.hypervisorType, 32),
      arch,
      sockets: fields.cpuSockets ?? null,
      cpus: fields.cpus || null,
      speed: fields.speed || null,
      ram: fields.memory || null,
      implicitTags: agentTags(fields.hostTags ?? []),
    }),
  };
}

/** A kind of move that agents may say; undefined: something else. */
export function agentMoveKind(text: string | undefined): AgentMoveKind | undefined {
  return AGENT_MOVE_KINDS.find(kind => kind === text);
}

/** @param length the store's columns have a width; what an agent says beyond it is of no use to anybody */
function clean(text: string | undefined, length?: number): string | null {
  return peerText(text ?? '', length).trim() || null;
}
