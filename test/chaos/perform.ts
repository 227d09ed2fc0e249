import type { ProxyFaults } from '../../src/lib/proxy/faulty-proxy.js';
import type { OwnAgent } from './agents.js';
import type { Fault, Target } from './plan.js';
import type { ServerMachine } from './server-machine.js';
import type { Database } from './stores.js';
import type { World } from './world.js';

/** What ends a fault that goes on. */
export type EndFault = () => Promise<void> | void;

/** A store that is away comes back within less. */
const BACK_LIMIT_MS = 60_000;

/** For faults that are over at once. */
const AT_ONCE: EndFault = () => {};

/**
 * Has a fault happen now.
 * @returns what ends it; undefined: this machine or this store does not have it, and nothing has happened
 */
export async function begin(world: World, fault: Fault): Promise<EndFault | undefined> {
  switch (fault.kind) {
    case 'kill':
      return kill(world, fault.target);
    case 'freeze':
      return freeze(world, fault.target);
    case 'fin':
      return onServer(world, fault, false, ({ proxy }) => {
        proxy.end();
        return AT_ONCE;
      });
    case 'reset':
      return onServer(world, fault, false, ({ proxy }) => {
        proxy.cut();
        return AT_ONCE;
      });
    case 'refuse':
      return byProxy(world, fault, { isRefusing: true });
    case 'stall':
      return byProxy(world, fault, { silent: fault.silent });
    case 'delay':
      return byProxy(world, fault, { delayMs: fault.delayMs });
    case 'trickle':
      return byProxy(world, fault, { bytesPerSecond: fault.bytesPerSecond });
    case 'blackhole': {
      const { network } = world;
      const { blackhole } = network;
      if (blackhole === undefined) return undefined;
      const { index } = fault.target;
      return onServer(world, fault, true, async () => {
        await blackhole(index);
        return () => network.heal(index);
      });
    }
    case 'disk-full': {
      const isStore = fault.target.of === 'database';
      const disk = isStore ? world.store.disk : agentOf(world, fault.target).disk;
      if (disk === undefined) return undefined;
      const over = marked(world, fault, isStore ? {} : { agent: agentOf(world, fault.target).name });
      await disk.fill();
      return async () => {
        await disk.free();
        over();
      };
    }
    case 'clock': {
      const { set } = world.clocks;
      if (set === undefined) return undefined;
      const { name } = machineOf(world, fault.target);
      const host = fault.target.of === 'server' ? serverOf(world, fault.target).address : undefined;
      const over = marked(world, fault, host === undefined ? { agent: name } : { host });
      set(name, fault.byMs);
      return () => {
        set(name, 0);
        over();
      };
    }
    case 'drain':
      return drain(world, fault);
    case 'configure':
      return operate(world, fault, () =>
        world.operator.ask('updateConfiguration', { name: fault.name, value: fault.value }),
      );
    case 'leave-out':
      return onServer(world, fault, false, ({ address }) => leaveOut(world, address));
    case 'rebalance':
      return operate(world, fault, () => world.operator.ask('rebalanceAgents'));
    case 'command':
      return operate(world, fault, () =>
        world.operator.ask('sendCommand', {
          all: 'true',
          class: 'GetHostStatsCommand',
          wait: String(fault.wait),
          maxerrors: '-1',
        }),
      );
  }
}

async function kill(world: World, target: Target): Promise<EndFault | undefined> {
  switch (target.of) {
    case 'server': {
      const server = serverOf(world, target);
      const over = marked(world, { kind: 'kill', target }, { host: server.address, silences: true });
      await server.kill();
      return () => {
        server.start();
        over();
      };
    }
    case 'agent': {
      const agent = agentOf(world, target);
      const over = marked(world, { kind: 'kill', target }, { agent: agent.name });
      await agent.kill();
      world.ledger.add({ kind: 'died', at: world.now, agents: [agent.name] });
      return () => {
        agent.start();
        over();
      };
    }
    default: {
      const database = databaseOf(world, target);
      const over = marked(world, { kind: 'kill', target }, {});
      await database.kill();
      return async () => {
        await database.start();
        over();
      };
    }
  }
}

function freeze(world: World, target: Target): EndFault {
  const marks = {
    server: () => ({ host: serverOf(world, target).address, silences: true }),
    agent: () => ({ agent: agentOf(world, target).name, silences: true }),
    database: () => ({}),
    cluster: () => ({}),
  };
  const process = target.of === 'database' ? databaseOf(world, target) : machineOf(world, target);
  process.freeze();
  const over = marked(world, { kind: 'freeze', target }, marks[target.of]());
  return () => {
    process.thaw();
    over();
  };
}

function byProxy(world: World, fault: Fault, faults: ProxyFaults): Promise<EndFault> {
  return onServer(world, fault, faults.silent !== undefined, ({ proxy }) => {
    proxy.faults = faults;
    return () => {
      proxy.faults = {};
    };
  });
}

async function onServer(
  world: World,
  fault: Fault,
  silences: boolean,
  act: (server: ServerMachine) => EndFault | Promise<EndFault>,
): Promise<EndFault> {
  const server = serverOf(world, fault.target);
  const over = marked(world, fault, { host: server.address, silences });
  const end = await act(server);
  return async () => {
    await end();
    over();
  };
}

async function drain(world: World, fault: Fault): Promise<EndFault> {
  const server = serverOf(world, fault.target);
  const ask = (command: string) =>
    operated(async () => {
      const managementserverid = await idOf(world, server);
      await world.operator.ask(command, { managementserverid });
    });
  const over = marked(world, fault, { host: server.address });
  await ask('prepareForMaintenance');
  return async () => {
    await ask('cancelMaintenance');
    over();
  };
}

/** A server leaves the host list, and comes back into it. */
async function leaveOut(world: World, address: string): Promise<EndFault> {
  const setHosts = (hosts: readonly string[]) =>
    world.operator.ask('updateConfiguration', { name: 'host', value: hosts.join(',') });
  await operated(() => setHosts(world.hosts.filter(host => host !== address)));
  // Its place counts as one of those where agents can go: it has to come back, also when no server can do it just now.
  return () => world.eventually(() => setHosts(world.hosts), `${address} comes back into the host list`, BACK_LIMIT_MS);
}

async function operate(world: World, fault: Fault, ask: () => Promise<unknown>): Promise<EndFault> {
  marked(world, fault, {})();
  await operated(ask);
  return AT_ONCE;
}

/** That servers refuse, or cannot carry out now, is no fault: the operator is told. */
async function operated(ask: () => Promise<unknown>): Promise<void> {
  await ask().catch(() => {});
}

/** Takes all servers back that are out of service. @throws Error: not now */
export async function takeBack(world: World): Promise<void> {
  for (const { id, state } of await world.operator.list('listManagementServers', 'managementserver')) {
    if (state !== 'Up' && state !== 'Down')
      await world.operator.ask('cancelMaintenance', { managementserverid: String(id) });
  }
}

async function idOf({ operator }: World, { address }: ServerMachine): Promise<string> {
  const servers = await operator.list('listManagementServers', 'managementserver');
  const found = servers.find(({ serviceip }) => serviceip === address);
  if (found === undefined) throw new Error(`no server ${address} is known`);
  return String(found.id);
}

/** Notes that a fault has begun. @returns to be called when it is over */
function marked(
  world: World,
  { kind, target }: Pick<Fault, 'kind' | 'target'>,
  { silences = false, ...on }: { readonly host?: string; readonly agent?: string; readonly silences?: boolean },
): () => void {
  const ofWhat = target.of === 'cluster' ? '' : ` ${target.of}`;
  const fault = world.faultBegins(`${kind}${ofWhat}`, { ...on, silences });
  return () => world.faultEnds(fault);
}

function machineOf(world: World, target: Target): ServerMachine | OwnAgent {
  return target.of === 'server' ? serverOf(world, target) : agentOf(world, target);
}

function serverOf({ servers }: World, { index }: Target): ServerMachine {
  return found(servers[index], index);
}

function agentOf({ agents }: World, { index }: Target): OwnAgent {
  return found(agents.own[index], index);
}

function databaseOf({ store }: World, { index }: Target): Database {
  return found(store.databases[index], index);
}

function found<T>(what: T | undefined, index: number): T {
  if (what === undefined) throw new RangeError(`there is none with the number ${index}`);
  return what;
}
