import { readFileSync } from 'node:fs';
import type { ManagementNode } from '../../src/mgmt/compose-node.js';
import { ask } from './faults.js';
import { Simulation } from './simulation.js';
import type { StoreWeather } from './store-link.js';

/**
 * A story in plain text: commands, each followed by what it leads to.
 *
 *     # What is told.
 *     world servers=2 agents=1
 *
 *     kill server-1
 *     passes 5s
 *     ----
 *        0.000  server-1  is killed
 *        …
 *
 * Commands up to `----` are carried out; behind it, up to the next blank line, is the transcript of them. Times count from
 * the first command.
 */
export interface Told {
  /** As the file has it. */
  readonly expected: string;
  /** As it is now. */
  readonly actual: string;
}

/**
 * Carries out the story of a file.
 * @throws Error: a command of the file cannot be carried out, or something did not hold in its course
 */
export async function tellStory(file: string): Promise<Told> {
  const expected = readFileSync(file, 'utf8');
  refuseTimes(file, expected);
  const blocks = expected.split(/\n{2,}/);
  const told: string[] = [];
  const worldLine = /^world (.*)$/m.exec(expected)?.[1] ?? '';
  const settings = new Map(
    worldLine.split(/\s+/).map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
  const { servers = '2', agents = '1', ...configuration } = Object.fromEntries(settings);
  const { failure } = await Simulation.tell(
    { seed: 1, servers: Number(servers), agents: Number(agents), configuration },
    async simulation => {
      const { transcript, world } = simulation;
      const from = world.now;
      for (const block of blocks) {
        const [commands = ''] = block.split('\n----');
        if (/^(#|world )/.test(commands)) {
          told.push(block.trimEnd());
          continue;
        }
        const begun = transcript.lines.length;
        for (const line of commands.trim().split('\n')) await carryOut(simulation, line);
        const table = transcript.table({ from: begun, since: from });
        told.push(`${commands.trim()}\n----${table === '' ? '' : `\n${table}`}`);
      }
    },
  );
  if (failure !== undefined) throw new Error(`${file}: ${failure.split('\n')[0]}`);
  return { expected, actual: `${told.join('\n\n')}\n` };
}

/** Of a time that is none the world goes on without an end, and another unit is not read. */
function refuseTimes(file: string, text: string): void {
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*passes\b/.test(line) && !/^passes \d+(\.\d+)?s\s*$/.test(line))
      throw new Error(`${file}:${index + 1}: ${line}: seconds are needed, such as 5s or 0.5s`);
  }
}

async function carryOut(simulation: Simulation, line: string): Promise<void> {
  const { servers, agents, network, transcript } = simulation;
  const [command = '', ...args] = line.trim().split(/\s+/);
  const machine = (name = '') => {
    const found = [...servers, ...agents].find(other => other.name === name);
    if (found === undefined) throw new Error(`there is no ${name}: ${line}`);
    return found;
  };
  const agent = (name = '') => {
    const found = agents.find(other => other.name === name);
    if (found === undefined) throw new Error(`there is no agent ${name}: ${line}`);
    return found;
  };
  const [first, second, third] = args;
  switch (command) {
    case 'passes':
      await simulation.goesOn(Number.parseFloat(first ?? '') * 1_000);
      return;
    case 'kill':
    case 'power-cut':
      machine(first).kill(command === 'power-cut');
      return;
    case 'stop': {
      const target = machine(first);
      void ('msid' in target ? target.stop('SIGTERM') : simulation.stopAgent(target));
      return;
    }
    case 'start':
      machine(first).revive();
      return;
    case 'freeze':
      transcript.add('world', `${first} stands still`);
      machine(first).process?.freeze();
      return;
    case 'thaw':
      transcript.add('world', `${first} goes on`);
      machine(first).process?.thaw();
      return;
    case 'stall':
    case 'blackhole':
    case 'open': {
      const [one, other] = [machine(first).address, machine(second).address];
      const state = command === 'stall' ? 'stalled' : command;
      transcript.add('world', `the path between ${first} and ${second} is ${state}`);
      network.setPath(one, other, state);
      network.setPath(other, one, state);
      return;
    }
    case 'store': {
      const weather: StoreWeather = first === 'away' ? { kind: 'away' } : { kind: 'good' };
      transcript.add('world', `the store is ${weather.kind}`);
      for (const server of servers) server.storeLink.weather = weather;
      return;
    }
    case 'clone':
      simulation.clone(agent(first)).start();
      return;
    case 'configure':
      operate(simulation, line, async ({ operations }) => {
        await operations.changeConfiguration({ name: second ?? '', value: third ?? '' });
      });
      return;
    case 'maintenance':
      operate(simulation, line, async ({ operations }, msid) => {
        await operations.prepareForMaintenance({ serverId: await simulation.serverId(msid) });
      });
      return;
    case 'cancel-maintenance':
      operate(simulation, line, async ({ operations }, msid) => {
        await operations.cancelMaintenance({ serverId: await simulation.serverId(msid) });
      });
      return;
    case 'provision':
      operate(simulation, `provision server-1 ${first}`, async ({ operations }) => {
        const { uuid } = await simulation.hostOf(agents.indexOf(agent(first)));
        await operations.provisionCertificate({ hostId: uuid });
      });
      return;
    case 'where':
      for (const { name, host } of agents) transcript.add(name, `is on ${host ?? 'no server'}`);
      return;
    default:
      throw new Error(`unknown command: ${line}`);
  }
}

/** An operator asks the server that a line names first. */
function operate(
  simulation: Simulation,
  line: string,
  work: (node: ManagementNode, msid: number) => Promise<void>,
): void {
  const [what = '', name] = line.split(/\s+/);
  const index = simulation.servers.findIndex(server => server.name === name);
  const server = simulation.servers[index];
  if (server === undefined) throw new Error(`there is no server ${name}: ${line}`);
  void ask(simulation, index, what, node => work(node, server.msid));
}
