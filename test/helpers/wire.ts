import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SessionPacket } from '../../src/testing/recorded-packets.js';
import { ROOT } from './root.js';

/** The files that a set-up of CloudStack 4.22 has left on an agent, and its CA. Texts are PEM. */
export function readCertificates() {
  return {
    cert: certificateFile('cloud.crt'),
    key: certificateFile('cloud.key'),
    csr: certificateFile('cloud.csr'),
    root: certificateFile('root.crt'),
    rootKey: certificateFile('root.key'),
  };
}

/** One of them. */
export function certificateFile(name: string): string {
  return readFileSync(join(ROOT, 'test/fixtures/wire/certificates-4.22', name), 'utf8');
}

/** The session in which they were set up. */
export function readCertificateSession(): (Omit<SessionPacket, 'sender' | 'message'> & { readonly from: string })[] {
  return lines('certificates-4.22/session.jsonl') as ReturnType<typeof readCertificateSession>;
}

function lines(name: string): unknown[] {
  const text = readFileSync(join(ROOT, 'test/fixtures/wire', name), 'utf8');
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as unknown);
}
