/** The CloudStack agent protocol: bytes to messages and back, and links over which both sides ask and answer. */
export { type Clock, systemClock, type Timer } from '../lib/clock.js';
export type { BucketRate } from '../lib/token-bucket.js';
export { decodeBody, encodeBody, type Message, type RawBody, receivedFields } from './body.js';
export {
  AGENT_CAPABILITIES,
  type AgentOutcome,
  agentOutcomeOf,
  type CommandId,
  commandIdOf,
  IN_PLACE_OF_RESOURCE,
  isInPlaceOfResource,
  keptMessages,
  SERVER_CAPABILITIES,
  withCommandId,
} from './command-id.js';
export { type ErrorContext, LinkError, type LinkErrorCode, ProtocolError, type ProtocolErrorCode } from './errors.js';
export { type Frame, FrameDecoder, FrameEncoder, type RecordInfo, type Unit } from './frame.js';
export {
  acceptTls,
  connectTls,
  type FramedTlsClientOptions,
  type FramedTlsOptions,
  type FramedTlsServerOptions,
  type PeerTerms,
} from './framed-tls.js';
export { decodeHeader, encodeHeader, FLAG, type PacketHeader } from './header.js';
export { formatHostList, type HostList, isSameList, parseReportedList, splitHostList } from './host-list.js';
export { decodeJson, encodeJson, RawJson } from './json.js';
export { LIMITS } from './limits.js';
export {
  type CloseReason,
  describeClose,
  type ForwardOptions,
  Link,
  type LinkHandlers,
  type LinkOptions,
  linkEndOf,
  type RequestHeader,
} from './link.js';
export { type MemoryAccount, MemoryBudget, type MemoryBudgetOptions } from './memory-budget.js';
export * from './messages/index.js';
export {
  answer,
  command,
  decimal,
  type Field,
  type Fields,
  flag,
  type Input,
  integer,
  list,
  listOf,
  type MessageType,
  object,
  optionalFlag,
  optionalInteger,
  record,
  type Schema,
  text,
  textList,
} from './messages/schema.js';
export * from './moves.js';
export {
  decodePacket,
  decodeRawPacket,
  encodePacket,
  encodeRawPacket,
  isRequest,
  messagesOf,
  type Packet,
  type RawPacket,
  rawBodyOf,
} from './packet.js';
export { PacketAssembler } from './packet-assembler.js';
export { type PacketLimits, readyLimits } from './packet-limits.js';
export type { ReadRate } from './read-pace.js';
export { recordOverhead, secureContext, type TlsCertificates } from './tls-profile.js';
export type { RemoteEnd, Transport, TransportListener } from './transport.js';
