import { readFileSync } from 'node:fs';

/** The version of CloudStack whose programs have sent the packets. */
export type RecordedRelease = '4.13' | '4.23';

/** One packet of a CloudStack program. `recordings/README.md` of the package describes the fields. */
export interface RecordedPacket {
  /** What it is, such as `ready-second-answer`. */
  readonly name: string;
  /** As `PacketHeader.version`. */
  readonly version: number;
  /** Bits of `FLAG`. */
  readonly flags: number;
  /** This and the next three: signed 64-bit numbers. */
  readonly sequence: string;
  /** Bytes of the unpacked body, as the header says. */
  readonly contentLength: number;
  /** The msid of the server; −1 in the requests of agents. */
  readonly mgmtId: string;
  /** The host id; −1 while it is not known. */
  readonly agentId: string;
  /** The host id of the agent on whose link it has travelled. */
  readonly via: string;
  /** The body, unpacked: JSON text as it was sent. */
  readonly content: string;
  /** The whole packet as it was sent, header first. */
  readonly hex: string;
}

/** One packet of a recorded session, without its bytes. */
export interface SessionPacket {
  /** Its place in the session, from 1. */
  readonly n: number;
  /** Which end has sent it. */
  readonly sender: 'agent' | 'mgmt';
  /** The class name of its first message, without the package. */
  readonly message: string;
  /** Bits of `FLAG`. */
  readonly flags: number;
  /** As in `RecordedPacket`, and so are the next three. */
  readonly sequence: string;
  /** The msid of the server. */
  readonly mgmtId: string;
  /** The host id. */
  readonly agentId: string;
  /** The host id of the agent on whose link it has travelled. */
  readonly via: string;
  /** JSON text; cut behind 3,000 characters. */
  readonly content: string;
}

/**
 * Packets that unmodified CloudStack programs have put on the wire. A codec that disagrees with them is wrong.
 * @example
 * for (const { name, hex } of recordedPackets('4.23')) console.log(name, decodePacket(Buffer.from(hex, 'hex')).messages);
 */
export function recordedPackets(release: RecordedRelease): readonly RecordedPacket[] {
  // The files are part of the package.
  return lines(`cloudstack-${release}.jsonl`) as readonly RecordedPacket[];
}

/**
 * The packets of one session of a real 4.23 agent with two real management servers, in order.
 * @example
 * const fromAgent = recordedSession().filter(({ sender }) => sender === 'agent');
 */
export function recordedSession(): readonly SessionPacket[] {
  return lines('session-4.23.jsonl') as readonly SessionPacket[];
}

function lines(name: string): readonly unknown[] {
  return readFileSync(new URL(`../../recordings/${name}`, import.meta.url), 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as unknown);
}
