// Writes what an agent persists, over and over, until it is killed. Arguments: its folder, a file with two certificate offers, and
// `in-place` for a writer that does it wrong. It prints `p N` when the list N is in agent.properties.
import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { AgentProperties, readProperties } from '../../src/agent/agent-properties.js';
import { perform, readFolder } from '../../src/agent/trust/folder.js';
import { type CertificateOffer, confirmation, installation } from '../../src/agent/trust/install.js';
import { systemClock } from '../../src/lib/clock.js';
import { type Disk, systemDisk } from '../../src/lib/files/disk.js';
import { silentLog } from '../../src/lib/logger.js';
import { listOf, numberOf } from './persist-files.js';

const [folder = '', offersFile = '', how] = process.argv.slice(2);
const path = join(folder, 'agent.properties');
const offers: readonly CertificateOffer[] = JSON.parse(readFileSync(offersFile, 'utf8'));

/** What it opens in the place of a temporary file is the file itself. */
const inPlace: Disk = {
  ...systemDisk,
  open: (file, flags, mode) =>
    file.endsWith('.tmp') ? systemDisk.open(path, 'w', mode) : systemDisk.open(file, flags, mode),
  rename: async () => {},
};

async function writeLists(): Promise<never> {
  const disk = how === 'in-place' ? inPlace : systemDisk;
  for (;;) {
    const { document } = await readProperties(path);
    const properties = new AgentProperties(path, document, systemClock, silentLog, disk);
    const number = numberOf(document.get('host') ?? '') + 1;
    properties.set({ host: listOf(number) });
    await properties.close();
    writeSync(1, `p ${number}\n`);
  }
}

async function installCertificates(): Promise<never> {
  for (;;) {
    for (const offer of offers) {
      await perform(folder, installation(await readFolder(folder), offer, systemClock.wallTime()));
      await perform(folder, confirmation(await readFolder(folder)));
    }
  }
}

await Promise.all([writeLists(), installCertificates()]);
