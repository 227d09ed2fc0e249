import {
  AGENT_CAPABILITIES,
  DoctorCommand,
  LIMITS,
  type Message,
  messagesOf,
  type RawBody,
  readyLimits,
  UnsupportedAnswer,
} from '../../protocol/index.js';

/** How the names of Muster's own classes begin. */
const OWN = 'com.muster.agent.api.';

/** Which capability an agent has that knows a class of ours. */
const CAPABILITIES: ReadonlyMap<string, string> = new Map([[DoctorCommand.type, AGENT_CAPABILITIES.doctor]]);

/**
 * Whether commands may be sent to an agent: classes of ours go only to those that have said that they know them. To a
 * CloudStack agent they mean nothing, and a resource of its own could take them for something else.
 * @param can whether the agent has named a capability
 * @returns undefined when they may; otherwise the answers in the place of the agent's
 * @throws ProtocolError BODY_*: the commands cannot be read
 */
export function unsupportedBy(can: (capability: string) => boolean, body: RawBody): readonly Message[] | undefined {
  // Nearly all bodies are without one, and need not be read.
  if (!body.isPacked && !body.bytes.includes(OWN)) return undefined;
  const commands = messagesOf(body, readyLimits(LIMITS.packetBytesAtMost));
  const isUnsupported = commands.some(({ type }) => {
    const capability = CAPABILITIES.get(type);
    return type.startsWith(OWN) && (capability === undefined || !can(capability));
  });
  if (!isUnsupported) return undefined;
  const details = 'the agent has not said that it can do this: nothing was sent';
  return commands.map(() => UnsupportedAnswer.encode({ result: false, details }));
}
