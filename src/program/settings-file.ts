import { readFile, stat } from 'node:fs/promises';
import { ConfigError, codeOf, reasonOf } from '../lib/errors.js';
import { type PropertiesDocument, parseProperties } from '../lib/files/properties.js';
import { hasSecret } from '../lib/secret-settings.js';

/** The file with the settings of a program. */
export interface SettingsFile {
  /** Without any property when there is no file. */
  readonly document: PropertiesDocument;
  readonly exists: boolean;
  /** Sentences about the file for the log. */
  readonly warnings: readonly string[];
}

/**
 * Reads a settings file.
 * @param mustExist the operator has named it: only a default file may be missing
 * @throws ConfigError when it must exist and does not, or cannot be read
 */
export async function readSettingsFile(path: string, mustExist: boolean): Promise<SettingsFile> {
  try {
    const document = parseProperties(await readFile(path));
    return { document, exists: true, warnings: await warningsOf(path, document) };
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') {
      throw new ConfigError('FILE', path, `the file cannot be read: ${reasonOf(cause)}`, { cause });
    }
    if (mustExist) throw new ConfigError('FILE', path, 'there is no such file', { cause });
    return { document: parseProperties(''), exists: false, warnings: [] };
  }
}

/** The properties as keys and values. */
export function valuesOf(document: PropertiesDocument): ReadonlyMap<string, string> {
  return new Map([...document.keys()].map(key => [key, document.get(key) ?? '']));
}

/** Where the key stands, as `FILE:LINE`, for the log. */
export function placeOf(path: string, document: PropertiesDocument, key: string): string {
  return `${path}:${document.lineOf(key)}`;
}

async function warningsOf(path: string, document: PropertiesDocument): Promise<readonly string[]> {
  const { mode } = await stat(path);
  const isOpen = (mode & 0o004) !== 0 && [...valuesOf(document)].some(([key, value]) => hasSecret(key, value));
  return isOpen ? ['The settings file has a password, and every user of this machine can read it: chmod 600'] : [];
}
