import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of PEM files: a CA, and a certificate that it has signed. */
export interface SignedFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** A CA and a certificate for these names, as an operator makes them. @param names as in `IP:127.0.0.1,DNS:localhost` */
export function signedFiles(folder: string, names: string, prefix = ''): SignedFiles {
  const path = (name: string) => join(folder, `${prefix}${name}`);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-days',
    '2',
    '-subj',
    '/CN=Test CA',
    '-keyout',
    path('ca.key'),
    '-out',
    path('ca.pem'),
  );
  openssl('req', ...key, '-subj', '/CN=server', '-keyout', path('server.key'), '-out', path('server.csr'));
  writeFileSync(path('server.ext'), `subjectAltName=${names}\n`);
  const signing = ['-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-CAcreateserial', '-extfile', path('server.ext')];
  openssl('x509', '-req', '-in', path('server.csr'), ...signing, '-days', '1', '-out', path('server.pem'));
  return { ca: path('ca.pem'), cert: path('server.pem'), key: path('server.key') };
}
