import { reasonOf } from '../../lib/errors.js';
import { type HostList, parseReportedList } from '../../protocol/host-list.js';
import { type Packet, ProtocolError, StartupRoutingCommand } from '../../protocol/index.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { HostDescription } from '../store/store.js';

/** The fields of a Startup that the server uses. */
export interface Startup {
  readonly guid: string;
  /** The zone's name or id, as the agent has it. */
  readonly dataCenter: string;
  readonly reportedList: HostList;
  readonly connectionTransferred: boolean;
  readonly arch: string | undefined;
  readonly instanceId: string | undefined;
  /** How many links the agent has lost since its process started. Muster's agents alone say so. */
  readonly failovers: number | undefined;
  /** Why it lost the last of them, in its words. */
  readonly lastLoss: string | undefined;
  readonly privateIpAddress: string | undefined;
  /** What the store keeps of the host. Long texts are cut. */
  facts(zoneId: number): HostDescription;
}

const STARTUP_CLASS = /^com\.cloud\.agent\.api\.Startup\w*Command$/;

/** Whether a request is a Startup: as in CloudStack, its first command decides. */
export function isStartup({ messages }: Packet): boolean {
  const [first] = messages;
  return first !== undefined && STARTUP_CLASS.test(first.type);
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
  const { guid, name, arch = fields.cpuArch } = fields;
  if (guid === undefined || guid.trim() === '') return { refusal: 'the startup command has no guid' };
  if (guid.length > MGMT_LIMITS.textLength) {
    return { refusal: `the guid is longer than ${MGMT_LIMITS.textLength} characters` };
  }
  return {
    guid,
    dataCenter: fields.dataCenter ?? '',
    reportedList: parseReportedList(fields.msHostList),
    connectionTransferred: fields.connectionTransferred,
    arch,
    instanceId: fields.instanceId,
    failovers: fields.failovers,
    lastLoss: clip(fields.lastLoss) ?? undefined,
    privateIpAddress: fields.privateIpAddress,
    facts: zoneId => ({
      guid,
      name: clip(name) ?? clip(fields.privateIpAddress) ?? guid,
      type: clip(fields.type, 32) ?? 'Routing',
      zoneId,
      pod: clip(fields.pod),
      cluster: clip(fields.cluster),
      privateIpAddress: clip(fields.privateIpAddress, 40),
      version: clip(fields.version),
      hypervisorType: clip(fields.hypervisorType, 32),
      arch: clip(arch, 32),
      sockets: fields.cpuSockets ?? null,
      cpus: fields.cpus || null,
      speed: fields.speed || null,
      ram: fields.memory || null,
    }),
  };
}

/** Cuts a text to the width of its column in the store. Null for an empty one. */
function clip(text: string | undefined, length: number = MGMT_LIMITS.textLength): string | null {
  return text === undefined || text === '' ? null : text.slice(0, length);
}
