import type { Stats } from 'node:fs';
import * as fs from 'node:fs/promises';
import { makeFolder } from './make-folder.js';

/**
 * Where files lie: the system's disk, or one in memory. Its calls are those of `node:fs/promises`, but one, with their errors. What
 * a file has survives a power failure once `sync` has returned, and its name once `sync` of its folder has.
 */
export interface Disk {
  /** @param flags as of `node:fs`, such as `wx` */
  open(path: string, flags: string, mode?: number): Promise<DiskFile>;
  readFile(path: string): Promise<Buffer>;
  stat(path: string): Promise<Stats>;
  /** Of the name itself, when it is a symbolic link. */
  lstat(path: string): Promise<Stats>;
  readlink(path: string): Promise<string>;
  realpath(path: string): Promise<string>;
  /** With those above it that are missing. */
  makeFolder(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options: { readonly force: true }): Promise<void>;
}

/** An open file or folder. */
export interface DiskFile {
  stat(): Promise<Stats>;
  readFile(): Promise<Buffer>;
  writeFile(data: string | Uint8Array): Promise<void>;
  appendFile(data: Uint8Array): Promise<void>;
  chmod(mode: number): Promise<void>;
  chown(uid: number, gid: number): Promise<void>;
  sync(): Promise<void>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** The system's disk. */
export const systemDisk: Disk = { ...fs, makeFolder };
