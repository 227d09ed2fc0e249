import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './root.js';

/** One recorded packet of a real CloudStack program: see test/fixtures/wire/README.md. */
export interface WirePacket {
  readonly name: string;
  readonly version: number;
  readonly flags: number;
  readonly sequence: string;
  readonly contentLength: number;
  readonly mgmtId: string;
  readonly agentId: string;
  readonly via: string;
  readonly content: string;
  readonly hex: string;
}

/** One packet of a recorded session, without its bytes. */
export interface SessionPacket {
  readonly n: number;
  readonly sender: 'agent' | 'mgmt';
  readonly message: string;
  readonly flags: number;
  readonly sequence: string;
  readonly mgmtId: string;
  readonly agentId: string;
  readonly via: string;
  readonly content: string;
}

export function readWire(release: '4.13' | '4.23'): WirePacket[] {
  return lines(`cloudstack-${release}.jsonl`) as WirePacket[];
}

export function readSession(): SessionPacket[] {
  return lines('session-4.23.jsonl') as SessionPacket[];
}

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
