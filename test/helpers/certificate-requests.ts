// The certificates library needs the polyfill before it.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import {
  SetupCertificateAnswer,
  SetupCertificateCommand,
  SetupKeyStoreCommand,
  SetupKeystoreAnswer,
} from '../../src/protocol/index.js';
import type { Reply } from './obedient-agent.js';
import { certificateFile } from './wire.js';

/** The body of each recorded packet of that conversation, by its sender. */
export function recordedMessages(): readonly {
  readonly from: string;
  readonly flags: number;
  readonly messages: readonly Record<string, Record<string, unknown>>[];
}[] {
  return certificateFile('session.jsonl')
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))
    .map(({ from, flags, content }) => ({ from, flags, messages: JSON.parse(content) }));
}

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A key pair of P-256, if nothing else is said. */
export function requestKeys(algorithm: { readonly name: string } = EC): Promise<webcrypto.CryptoKeyPair> {
  // All of them are algorithms of key pairs.
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;
}

/** A certificate request in PEM. */
export async function requestPem({
  name = 'CN=kvm-1',
  keys,
  algorithm = EC,
  sans = [],
}: {
  readonly name?: string;
  readonly keys?: webcrypto.CryptoKeyPair;
  readonly algorithm?: { readonly name: string };
  readonly sans?: readonly string[];
} = {}): Promise<string> {
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      name,
      keys: keys ?? (await requestKeys(algorithm)),
      signingAlgorithm: { ...algorithm, hash: 'SHA-256' },
      extensions:
        sans.length === 0
          ? []
          : [new x509.SubjectAlternativeNameExtension(sans.map(value => ({ type: 'dns' as const, value })))],
    },
    webcrypto,
  );
  return `${request.toString('pem')}\n`;
}

/** An agent that takes certificates. `installed` is what it has been given. */
export function certificateTaker(csr: string) {
  const installed: ReturnType<typeof SetupCertificateCommand.decode>[] = [];
  const reply: Reply = command => {
    if (SetupKeyStoreCommand.is(command)) return SetupKeystoreAnswer.encode({ csr, result: true });
    if (!SetupCertificateCommand.is(command)) return undefined;
    installed.push(SetupCertificateCommand.decode(command));
    return SetupCertificateAnswer.encode({ result: true });
  };
  return { installed, reply };
}

/**
 * A request with a key of 16,384 bits, which takes minutes to make: this one is no product of primes, and the signature
 * another key's.
 */
export function longKeyRequestPem(): string {
  const modulus = Buffer.alloc(2_049, 0xff);
  modulus[0] = 0;
  const integer = (bytes: Buffer) => Buffer.concat([header(0x02, bytes.length), bytes]);
  const key = sequence(integer(modulus), integer(Buffer.from([1, 0, 1])));
  const algorithm = sequence(Buffer.from('06092a864886f70d0101010500', 'hex'));
  const bits = Buffer.concat([header(0x03, key.length + 1), Buffer.of(0), key]);
  const spki = sequence(algorithm, bits);
  const info = sequence(Buffer.from('020100', 'hex'), sequence(), spki, Buffer.from('a000', 'hex'));
  const signedBy = sequence(Buffer.from('06092a864886f70d01010b0500', 'hex'));
  const signature = Buffer.concat([header(0x03, 2_049), Buffer.of(0), Buffer.alloc(2_048, 1)]);
  return x509.PemConverter.encode(sequence(info, signedBy, signature), 'CERTIFICATE REQUEST');
}

function sequence(...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([header(0x30, body.length), body]);
}

function header(tag: number, length: number): Buffer {
  if (length < 128) return Buffer.of(tag, length);
  return Buffer.of(tag, 0x82, length >> 8, length & 0xff);
}
