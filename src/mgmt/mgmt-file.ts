import { placeOf, readSettingsFile, valuesOf } from '../program/settings-file.js';
import { type ReadSettings, readSettings } from './config/settings.js';
import { verifyDbUrl } from './open-store.js';

/** Where the settings of a server come from. */
export interface MgmtFileOptions {
  /** Path of mgmt.properties, relative to the working folder. @default none is read */
  readonly file?: string;
  /** An operator has named the file: a name that is not there is a mistake. @default false */
  readonly fileMustExist?: boolean;
  /**
   * Settings that beat those of the file, under the same keys: of this server, and initial values of the global
   * configuration. A value that the store has already wins over an initial one, and is logged. @default {}
   */
  readonly overrides?: Readonly<Record<string, string>>;
}

/** What the settings file and `overrides` say. */
export interface MgmtFile extends Omit<ReadSettings, 'unknown'> {
  /** Sentences about the file for the log, and what they are about: the file, or a line of it. */
  readonly warnings: readonly { readonly text: string; readonly file: string }[];
}

/** @throws ConfigError */
export async function readMgmtFile({
  file,
  fileMustExist = false,
  overrides = {},
}: MgmtFileOptions): Promise<MgmtFile> {
  const given = new Map(Object.entries(overrides));
  if (file === undefined) return { ...verified(new Map(), given), warnings: [] };
  const { document, exists, warnings } = await readSettingsFile(file, fileMustExist);
  const { settings, initial, unknown } = verified(valuesOf(document), given);
  const absent = exists ? [] : ['There is no settings file; defaults and the command line hold'];
  return {
    settings,
    initial,
    warnings: [
      ...[...absent, ...warnings].map(text => ({ text, file })),
      ...[...unknown].map(([key, text]) => ({ text, file: placeOf(file, document, key) })),
    ],
  };
}

/** @throws ConfigError */
function verified(...sources: Parameters<typeof readSettings>): ReadSettings {
  const read = readSettings(...sources);
  verifyDbUrl(read.settings.dbUrl);
  return read;
}
