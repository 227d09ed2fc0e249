import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { canonicalAddress } from '../../lib/address.js';
import { isIssuer, objectionToDates } from '../../lib/chain.js';
import { addressesIn, hostUuidOf, msidOf, namesServer, subjectOf } from '../../protocol/certificate-names.js';
import { sha256Hex } from './fingerprint.js';
import { canonicalSerial } from './revocations.js';

/** Who the peer of a link is, by the certificate that it has presented. Its key is proved by the handshake. */
export type PeerIdentity =
  /** It has presented none. */
  | { readonly kind: 'none' }
  /** One of Muster's agents: the certificate names its host. */
  | {
      readonly kind: 'host';
      readonly uuid: string;
      readonly serial: string;
      readonly issuer: X509Certificate;
      /** When the certificate ends: milliseconds since 1970. */
      readonly ends: number;
    }
  /** A CloudStack agent: the certificate names the address that it comes from. */
  | {
      readonly kind: 'address';
      readonly fingerprint: string;
      readonly serial: string;
      readonly issuer: X509Certificate;
      /** As above. */
      readonly ends: number;
    }
  /** Another management server. */
  | ServerIdentity
  | BadIdentity;

export interface ServerIdentity {
  readonly kind: 'server';
  readonly msid: number;
  readonly serial: string;
  readonly issuer: X509Certificate;
}

export interface BadIdentity {
  readonly kind: 'bad';
  readonly why: string;
  readonly isRevoked: boolean;
}

/** What certificates are judged by. */
export interface PeerRules {
  /** The certificates that sign those of agents and servers. Not all whom agents trust: those may be CAs of others. */
  readonly issuers: readonly X509Certificate[];
  /** @param serial as `canonicalSerial` gives it */
  isRevoked(serial: string): boolean;
  /** `ca.plugin.root.allow.expired.cert` */
  readonly allowsExpired: boolean;
  /** `ca.agent.allow.address.certificates` */
  readonly allowsAddresses: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const NOBODY: PeerIdentity = { kind: 'none' };

/**
 * Judges the certificate that the peer on the agents' port has presented. Pure. Certificates are signed by the CA itself: what
 * else the peer presents does not count.
 * @param address from which it comes
 */
export function judgePeer(leaf: X509Certificate | undefined, address: string, rules: PeerRules): PeerIdentity {
  if (leaf === undefined) return NOBODY;
  if (namesServer(leaf)) return judgeServer(leaf, rules);
  const what = describe(leaf);
  const judgement = judged(leaf, what, rules);
  if (judgement.kind === 'bad') return judgement;
  const { serial, issuer } = judgement;
  const usages = usagesOf(leaf);
  if (usages !== undefined && !usages.includes(CLIENT_AUTH)) return bad(`${what} is not for clients`);
  const uuid = hostUuidOf(leaf);
  const ends = Date.parse(leaf.validTo);
  if (uuid !== undefined) return { kind: 'host', uuid, serial, issuer, ends };
  if (!rules.allowsAddresses) return bad(`${what} names no host, and ca.agent.allow.address.certificates is false`);
  if (!addressesIn(leaf).some(name => isSameAddress(name, address))) {
    return bad(`${what} is for ${addressesIn(leaf).join(', ') || 'no address'}, and the link comes from ${address}`);
  }
  return { kind: 'address', fingerprint: sha256Hex(leaf.raw), serial, issuer, ends };
}

/** Judges the certificate that another server has presented, whichever side has dialled. Pure. It must be in date in any case. */
export function judgeServer(
  leaf: X509Certificate | undefined,
  rules: Pick<PeerRules, 'issuers' | 'isRevoked' | 'now'>,
): ServerIdentity | BadIdentity {
  if (leaf === undefined) return bad('it has presented no certificate');
  const what = describe(leaf);
  const judgement = judged(leaf, what, { ...rules, allowsExpired: false });
  if (judgement.kind === 'bad') return judgement;
  const msid = msidOf(leaf);
  if (msid === undefined) return bad(`${what} is not one of a management server`);
  const usages = usagesOf(leaf) ?? [];
  if (!usages.includes(SERVER_AUTH) || !usages.includes(CLIENT_AUTH)) {
    return bad(`${what} is not for servers and clients alike`);
  }
  const { serial, issuer } = judgement;
  return { kind: 'server', msid, serial, issuer };
}

function describe(leaf: X509Certificate): string {
  return `the certificate (${subjectOf(leaf)})`;
}

/** What must hold of any certificate. */
function judged(
  leaf: X509Certificate,
  what: string,
  rules: Omit<PeerRules, 'allowsAddresses'>,
): BadIdentity | { readonly kind: 'good'; readonly serial: string; readonly issuer: X509Certificate } {
  const issuer = rules.issuers.find(one => isIssuer(one, leaf));
  if (issuer === undefined) return bad(`${what} is of no CA that is known here`);
  const serial = canonicalSerial(leaf.serialNumber);
  if (rules.isRevoked(serial)) return { ...bad(`${what} with serial ${serial} was revoked`), isRevoked: true };
  const why = objectionToDates(`the CA (${subjectOf(issuer)})`, issuer, rules.now) ?? datesOf(leaf, what, rules);
  if (why !== undefined) return bad(why);
  return leaf.ca ? bad(`${what} is one of a CA`) : { kind: 'good', serial, issuer };
}

function datesOf(
  leaf: X509Certificate,
  what: string,
  { allowsExpired, now }: Pick<PeerRules, 'allowsExpired' | 'now'>,
): string | undefined {
  // At its last moment it was good.
  const moment = allowsExpired ? Math.min(now, Date.parse(leaf.validTo)) : now;
  return objectionToDates(what, leaf, moment);
}

function isSameAddress(name: string, address: string): boolean {
  return isIP(name) !== 0 && isIP(address) !== 0 && canonicalAddress(name) === canonicalAddress(address);
}

/** The extended key usages; undefined when the certificate has no such extension, which Node's types do not say. */
function usagesOf({ keyUsage }: { readonly keyUsage: readonly string[] | undefined }): readonly string[] | undefined {
  return keyUsage;
}

function bad(why: string): BadIdentity {
  return { kind: 'bad', why, isRevoked: false };
}
