// Many agents in one process, for load and for trials: node bench/fleet.mjs AGENTS HOST,HOST,… [PORT] [SECONDS]
// Prints who is where each second, and at the end how often an agent had no Ready link.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Agent } from '../dist/agent/agent.js';
import { AgentProperties } from '../dist/agent/agent-properties.js';
import { readyLink } from '../dist/agent/agent-state.js';
import { tcpDialer } from '../dist/agent/dialer.js';
import { builtInResource } from '../dist/agent/resource.js';
import { readSettings } from '../dist/agent/settings.js';
import { Trust } from '../dist/agent/trust.js';
import { systemClock } from '../dist/lib/clock.js';
import { silentLog } from '../dist/lib/logger.js';
import { parseProperties } from '../dist/lib/properties.js';
import { systemRandom } from '../dist/lib/random.js';

const [count = '100', host = '127.0.0.1', port = '8250', seconds = '3600'] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'muster-fleet-'));
const machine = builtInResource('LibvirtComputingResource');
const trust = new Trust(join(folder, 'cloud.ca.crt'), systemClock, silentLog);

const agents = Array.from({ length: Number(count) }, (_, index) => {
  const home = join(folder, String(index));
  mkdirSync(home);
  const text = `guid=fleet-${index}\nhost=${host}\nport=${port}\n`;
  const properties = new AgentProperties(join(home, 'agent.properties'), parseProperties(text), systemClock, silentLog);
  const resource = { ...machine, startup: () => ({ ...machine.startup(), name: `fleet-${index}` }) };
  const settings = readSettings(key => properties.get(key));
  const parts = { settings, properties, guid: `fleet-${index}`, resource, trust, dialer: tcpDialer };
  return new Agent({ ...parts, clock: systemClock, random: systemRandom, log: silentLog });
});

let stopping = false;
const stop = async () => {
  if (stopping) process.exit(1);
  stopping = true;
  await Promise.all(agents.map(agent => agent.stop()));
  console.log(`links lost: ${lost}`);
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
};
process.on('SIGINT', stop);
process.on('SIGTERM', stop);

// The first pins the CA for all.
agents[0]?.start();
await setTimeout(300);
for (const agent of agents.slice(1)) agent.start();

let lost = 0;
const ready = new Set();
const watch = () => {
  for (const agent of agents) {
    const isReady = readyLink(agent.state) !== undefined;
    if (!isReady && ready.delete(agent)) lost++;
    else if (isReady) ready.add(agent);
  }
};
let last = '';
for (let second = 0; second < Number(seconds) && !stopping; second++) {
  for (let turn = 0; turn < 20; turn++) {
    watch();
    await setTimeout(50);
  }
  const where = new Map();
  for (const agent of agents) {
    const at = readyLink(agent.state)?.host ?? 'nowhere';
    where.set(at, (where.get(at) ?? 0) + 1);
  }
  const line = [...where]
    .sort()
    .map(([at, n]) => `${at}: ${n}`)
    .join('  ');
  if (line !== last) console.log(`${new Date().toISOString()} ${line}  (links lost so far: ${lost})`);
  last = line;
}
await stop();
