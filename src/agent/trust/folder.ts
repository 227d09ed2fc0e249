import { join } from 'node:path';
import { codeOf, reasonOf } from '../../lib/errors.js';
import { moveFileAtomic, writeFileAtomic } from '../../lib/files/atomic-file.js';
import { type Disk, systemDisk } from '../../lib/files/disk.js';

/** The certificates of an agent, beside agent.properties and under CloudStack's names. */
const FILES = [
  /** The private key, in PEM and not encrypted. */
  'cloud.key',
  /** The certificate of this host, followed by those that lead to its CA. */
  'cloud.crt',
  /** Whom the agent trusts: a bundle. */
  'cloud.ca.crt',
  /** The last certificate request. */
  'cloud.csr',
  /** The key of a certificate that has been asked for while another one is in use. */
  'cloud.key.new',
  // What was in use before the last installation, until a server has accepted that.
  'cloud.key.old',
  'cloud.crt.old',
  /** The last one of an installation's copies: with it they are complete. Empty when there was no `cloud.ca.crt`. */
  'cloud.ca.crt.old',
] as const;

export type CertificateFile = (typeof FILES)[number];

/** A file as it was found. */
export interface FileFound {
  readonly text: string;
  /** Permission bits. */
  readonly mode: number;
  /** Why it cannot be read; its text is empty then. */
  readonly unreadable?: string;
}

/** The files that are there. */
export type Folder = Readonly<Partial<Record<CertificateFile, FileFound>>>;

/** A change of one file. Each happens as a whole or not at all. */
export type FileStep =
  | { readonly kind: 'write'; readonly file: CertificateFile; readonly text: string }
  /** The target is replaced. */
  | { readonly kind: 'move'; readonly file: CertificateFile; readonly to: CertificateFile }
  /** The file need not be there. */
  | { readonly kind: 'remove'; readonly file: CertificateFile };

/** Reads the files of a folder. What cannot be read is no error here. */
export async function readFolder(path: string, disk: Disk = systemDisk): Promise<Folder> {
  const found: Partial<Record<CertificateFile, FileFound>> = {};
  for (const name of FILES) {
    const file = await readFound(disk, join(path, name));
    if (file !== undefined) found[name] = file;
  }
  return found;
}

async function readFound(disk: Disk, path: string): Promise<FileFound | undefined> {
  let mode = 0;
  try {
    ({ mode } = await disk.stat(path));
    return { text: (await disk.readFile(path)).toString(), mode };
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? undefined : { text: '', mode, unreadable: reasonOf(error) };
  }
}

/** Carries out steps, in their order; the folder is made if need be. @throws FileError, or the system's error; the later steps are not carried out then */
export async function perform(folder: string, steps: readonly FileStep[], disk: Disk = systemDisk): Promise<void> {
  if (steps.length > 0) await disk.makeFolder(folder);
  for (const step of steps) {
    const path = join(folder, step.file);
    switch (step.kind) {
      case 'write':
        await writeFileAtomic(path, step.text, { mode: step.file.startsWith('cloud.key') ? 0o600 : 0o644, disk });
        break;
      case 'move':
        await moveFileAtomic(path, join(folder, step.to), disk);
        break;
      case 'remove':
        await disk.rm(path, { force: true });
        break;
    }
  }
}
