import { readSettingsFile, valuesOf } from '../program/settings-file.js';
import { type ReadSettings, readSettings } from './config/settings.js';

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

/** What the settings file and `overrides` say. @throws ConfigError */
export async function readMgmtFile({
  file,
  fileMustExist = false,
  overrides = {},
}: MgmtFileOptions): Promise<ReadSettings> {
  const given = new Map(Object.entries(overrides));
  if (file === undefined) return readSettings(new Map(), given);
  const { document, exists, warnings } = await readSettingsFile(file, fileMustExist);
  const read = readSettings(valuesOf(document), given);
  const absent = exists ? [] : ['There is no settings file; defaults and the command line hold'];
  return { ...read, warnings: [...absent, ...warnings, ...read.warnings] };
}
