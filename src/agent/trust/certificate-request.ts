import { createPublicKey, generateKeyPairSync, type KeyObject, sign, type webcrypto } from 'node:crypto';
import { isIP } from 'node:net';

/** A new key for this host: P-256. */
export function makeKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

/** Whether a certificate can be asked for with this key: P-256, P-384, or RSA of 2048 to 4096 bits. */
export function isKeyForRequest({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): boolean {
  return algorithmOf(asymmetricKeyType, asymmetricKeyDetails) !== undefined;
}

/**
 * A certificate request in PEM (PKCS#10), signed by the key.
 * @param host the name of this host; it becomes the CN, cut at 64 characters
 * @param addresses IP addresses, which become alternative names, as the host's name does
 */
export async function makeRequest(key: KeyObject, host: string, addresses: readonly string[]): Promise<string> {
  // Loaded when it is needed, which is once a year. It needs the polyfill before it.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const algorithm = algorithmOf(key.asymmetricKeyType, key.asymmetricKeyDetails ?? {});
  if (algorithm === undefined) throw new Error('no certificate can be asked for with a key of this kind');
  const isDnsName = isIP(host) === 0 && /^[!-~]+$/.test(host);
  const names = [
    ...(isDnsName ? [{ type: 'dns' as const, value: host }] : []),
    ...addresses.slice(0, MOST_ADDRESSES).map(value => ({ type: 'ip' as const, value })),
  ];
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      name: [{ CN: [host.slice(0, LONGEST_CN)] }],
      keys: keysOf(algorithm),
      signingAlgorithm: algorithm,
      extensions: [new x509.SubjectAlternativeNameExtension(names)],
    },
    signer(key, algorithm.hash),
  );
  return `${request.toString('pem')}\n`;
}

/** A hypervisor may have an address for each of its networks. Servers bound the length of a request. */
const MOST_ADDRESSES = 64;
/** RFC 5280, ub-common-name. */
const LONGEST_CN = 64;

/**
 * What is asked of WebCrypto for a request, by this key. WebCrypto itself works in other threads, whose memory for keys stays
 * with the process: with thousands of agents in it that is a lot.
 */
function signer(key: KeyObject, hash: string): webcrypto.Crypto {
  const subtle = {
    exportKey: async () => createPublicKey(key).export({ type: 'spki', format: 'der' }),
    sign: async (_algorithm: unknown, _key: unknown, data: ArrayBuffer) =>
      sign(hash, Buffer.from(data), { key, dsaEncoding: 'ieee-p1363' }),
  };
  // Nothing else is asked.
  return { subtle } as unknown as webcrypto.Crypto;
}

/** In the place of WebCrypto's: `signer` has the key itself. */
function keysOf(algorithm: object): webcrypto.CryptoKeyPair {
  return { privateKey: { algorithm }, publicKey: { algorithm } } as unknown as webcrypto.CryptoKeyPair;
}

function algorithmOf(
  type: string | undefined,
  { namedCurve, modulusLength = 0 }: { readonly namedCurve?: string; readonly modulusLength?: number },
) {
  if (type === 'ec' && namedCurve === 'prime256v1') return { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  if (type === 'ec' && namedCurve === 'secp384r1') return { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
  const isRsa = type === 'rsa' && modulusLength >= 2048 && modulusLength <= 4096;
  return isRsa ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } : undefined;
}
