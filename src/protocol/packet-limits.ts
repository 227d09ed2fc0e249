import { LIMITS } from './limits.js';

/** The bounds of one packet: they are larger once its link is Ready. */
export interface PacketLimits {
  /** Bytes of the packet, and of its unpacked body. */
  readonly bytes: number;
  /** Values in the body's JSON. */
  readonly values: number;
}

/** Before the link is Ready. */
export const BEFORE_READY: PacketLimits = {
  bytes: LIMITS.packetBytesBeforeReady,
  values: LIMITS.bodyValuesBeforeReady,
};

/**
 * The bounds on a Ready link.
 * @param bytes the setting `packet.max`
 * @example
 * const packet = decodePacket(bytes, readyLimits(64 * 2 ** 20));
 */
export function readyLimits(bytes: number = LIMITS.packetBytes): PacketLimits {
  return { bytes, values: LIMITS.bodyValues };
}
