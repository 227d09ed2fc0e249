// npm run deb: the packages of Debian, for the server and for the agent.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { VERSION } from '#dist/lib/version.js';
import { buildDeb } from './install/build-deb.js';
import { debPackages } from './install/debian.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const architecture = execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim();

for (const deb of debPackages(architecture)) {
  console.log(`${buildDeb(deb, { root, version: VERSION, destination: root })}: apt-get install FILE`);
}
