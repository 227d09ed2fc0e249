import { join } from 'node:path';
import type { Clock } from '../../lib/clock.js';
import { type Disk, systemDisk } from '../../lib/files/disk.js';
import type { Log } from '../../lib/logger.js';
import { CommandJournal } from './command-journal.js';
import { fileDisk } from './journal-disk.js';

/** Beside agent.properties. */
const FILE = 'commands.journal';

/**
 * The journal of an agent, as its last process has left it. Never rejects: while it cannot be used, commands with an id are
 * refused.
 * @param folder that of agent.properties
 * @example
 * const journal = await openJournal('conf', { clock: systemClock, log: silentLog });
 */
export async function openJournal(
  folder: string,
  { disk = systemDisk, clock, log }: { readonly clock: Clock; readonly log: Log; readonly disk?: Disk },
): Promise<CommandJournal> {
  const journal = new CommandJournal({ disk: fileDisk(join(folder, FILE), disk), clock, log });
  await journal.open();
  return journal;
}
