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
