import { codeOf, reasonOf } from '../../src/lib/errors.js';
import { OperationError } from '../../src/lib/operation-error.js';
import type { ManagementNode } from '../../src/mgmt/compose-node.js';
import { StoreError } from '../../src/mgmt/store/store-error.js';
import { COUNT } from './agent-machine.js';
import type { Fault, Place } from './schedule.js';
import type { Simulation } from './simulation.js';
import { upgrade } from './upgrade.js';
import { PHASE } from './world.js';

/** Has a fault happen now. What it begins ends by itself. */
export function perform(simulation: Simulation, fault: Fault): void {
  const { world, network, transcript, agents, servers } = simulation;
  if (!isThere(simulation, fault)) return;
  transcript.add('world', describe(fault));
  simulation.excuses(fault);
  const machine = ({ of, index }: Place) => {
    const found = of === 'agent' ? agents[index] : servers[index];
    if (found === undefined) throw new RangeError(`there is no ${of} ${index}`);
    return found;
  };
  const later = (ms: number, what: string, run: () => void) =>
    world.plan(ms, PHASE.io, undefined, () => {
      if (simulation.isHealed) return;
      transcript.add('world', what);
      run();
    });
  switch (fault.kind) {
    case 'kill': {
      const target = machine(fault.place);
      const kill = () => {
        if (simulation.isHealed) return;
        target.kill(fault.isPowerCut);
        later(fault.ms, `${target.name} is on again`, () => target.revive());
      };
      if (fault.steps === 0) kill();
      else target.process?.crashAfter(fault.steps, kill);
      return;
    }
    case 'stop': {
      const target = machine(fault.place);
      const stopped = 'msid' in target ? target.stop('SIGTERM') : simulation.stopAgent(target);
      void stopped.then(() => later(fault.ms, `${target.name} is on again`, () => target.revive()));
      return;
    }
    case 'freeze': {
      const { name, process } = machine(fault.place);
      process?.freeze();
      later(fault.ms, `${name} goes on`, () => {
        process?.thaw();
        simulation.hearsAgain();
      });
      return;
    }
    case 'path': {
      const [from, to] = [machine(fault.from).address, machine(fault.to).address];
      const ways = fault.isOneWay ? [[from, to] as const] : [[from, to] as const, [to, from] as const];
      for (const [one, other] of ways) network.setPath(one, other, fault.state);
      later(fault.ms, `the path from ${from} to ${to} is open again`, () => {
        for (const [one, other] of ways) network.setPath(one, other, 'open');
      });
      return;
    }
    case 'delay': {
      const [from, to] = [machine(fault.from).address, machine(fault.to).address];
      network.setDelay(from, to, fault.delayMs);
      later(fault.ms, `the path from ${from} to ${to} is fast again`, () => network.setDelay(from, to, 0));
      return;
    }
    case 'reset':
      network.reset(machine(fault.from).address, machine(fault.to).address);
      return;
    case 'tear':
      network.isTearing = true;
      later(fault.ms, 'packets are whole again', () => {
        network.isTearing = false;
      });
      return;
    case 'clock':
      machine(fault.place).clock.set(fault.byMs);
      return;
    case 'store':
      for (const index of fault.servers) {
        const server = servers[index];
        if (server !== undefined) server.storeLink.weather = fault.weather;
      }
      later(fault.ms, 'the store is well again', () => {
        for (const index of fault.servers) {
          const server = servers[index];
          if (server !== undefined) server.storeLink.weather = { kind: 'good' };
        }
      });
      return;
    case 'disk-full': {
      const agent = agents[fault.agent];
      if (agent === undefined) return;
      agent.disk.isFull = true;
      later(fault.ms, `there is room again on ${agent.name}`, () => {
        agent.disk.isFull = false;
      });
      return;
    }
    case 'mix-up': {
      const [agent, other] = [agents[fault.agent], agents[fault.other]];
      if (agent === undefined || other === undefined || agent === other) return;
      agent.mixUp(other);
      later(fault.ms, `${agent.name} has its own certificate again`, () => agent.setRight());
      return;
    }
    case 'revoke':
      simulation.asked(
        fault,
        ask(simulation, fault.via, fault.kind, ({ operations }) => simulation.revoke(operations, fault.agent)),
      );
      later(fault.ms, `agent-${fault.agent + 1} gets a token`, () => simulation.giveToken(fault.agent));
      return;
    case 'clone': {
      const agent = agents[fault.agent];
      if (agent === undefined) return;
      const clone = simulation.clone(agent);
      clone.start();
      later(fault.ms, `${clone.name} is taken away`, () => void clone.takeAway('power-cut'));
      return;
    }
    case 'join':
      void ask(simulation, fault.via, 'a token', async ({ operations }) =>
        simulation.join(await operations.createEnrollmentToken({})),
      );
      return;
    case 'leave':
      void agents[fault.agent]?.takeAway(fault.how);
      return;
    case 'remove':
      remove(simulation, fault, later);
      return;
    case 'upgrade':
      void upgrade(simulation, fault);
      return;
    case 'canary':
      tryFirst(simulation, fault, later);
      return;
    case 'maintenance':
    case 'shutdown':
      maintain(simulation, fault, later);
      return;
    default:
      operate(simulation, fault);
  }
}

/** Whether the machines that it is about are there: some come later, and some are gone. */
function isThere({ agents, servers }: Simulation, fault: Fault): boolean {
  const places: Place[] = [];
  if ('place' in fault) places.push(fault.place);
  if ('from' in fault) places.push(fault.from, fault.to);
  if ('agent' in fault) places.push({ of: 'agent', index: fault.agent });
  if ('other' in fault) places.push({ of: 'agent', index: fault.other });
  return places.every(({ of, index }) => (of === 'agent' ? agents[index]?.isGone === false : servers[index]));
}

type Later = (ms: number, what: string, run: () => void) => void;

function remove(simulation: Simulation, fault: Fault & { kind: 'remove' }, later: Later): void {
  const { agent, isForced, ms } = fault;
  const removing = ask(simulation, fault.via, fault.kind, async ({ operations }) => {
    const { id, uuid } = await simulation.hostOf(agent);
    await operations.removeHost({ hostId: uuid, forced: isForced });
    simulation.invariants.hostRemoved(id);
  });
  simulation.asked(fault, removing);
  later(ms, `agent-${agent + 1} is brought back, if its host was removed`, () => simulation.bringBack(agent));
}

function maintain(simulation: Simulation, fault: Fault & { kind: 'maintenance' | 'shutdown' }, later: Later): void {
  const target = simulation.servers[fault.server];
  if (target === undefined) return;
  const isMaintenance = fault.kind === 'maintenance';
  void ask(simulation, fault.via, fault.kind, async ({ operations }) => {
    const serverId = await simulation.serverId(target.msid);
    if (isMaintenance) await operations.prepareForMaintenance({ serverId });
    else await operations.prepareForShutdown({ serverId });
  });
  later(fault.ms, `${target.name} is taken back into service`, () => {
    void ask(simulation, fault.via, `cancel ${fault.kind}`, async ({ operations }) => {
      const serverId = await simulation.serverId(target.msid);
      if (isMaintenance) await operations.cancelMaintenance({ serverId });
      else await operations.cancelShutdown({ serverId });
    });
  });
}

function tryFirst(simulation: Simulation, fault: Fault & { kind: 'canary' }, later: Later): void {
  const { via, kind, change, percent, end } = fault;
  void ask(simulation, via, kind, async ({ operations }) => {
    await operations.startCanary({ ...change, percent });
  });
  if (end === 'none') return;
  later(fault.ms, `the canary that stands is to end: ${end}`, () => {
    void ask(simulation, via, `${end} ${kind}`, async ({ operations }) => {
      const [canary] = await operations.listCanaries();
      if (canary === undefined) return;
      if (end === 'delete') await operations.deleteCanary({ id: canary.id });
      else await operations.commitCanary({ id: canary.id, forced: true });
    });
  });
}

type Operation = Extract<Fault, { readonly via: number }> & {
  kind: Exclude<Fault['kind'], 'canary' | 'maintenance' | 'shutdown' | 'revoke'>;
};

function operate(simulation: Simulation, fault: Operation): void {
  const { via, kind } = fault;
  switch (fault.kind) {
    case 'configure':
      void ask(simulation, via, kind, async ({ operations }) => {
        const { name, value, again } = fault;
        await operations.changeConfiguration({ name, value });
        if (again !== undefined) await operations.changeConfiguration({ name, value: again });
      });
      return;
    case 'rebalance':
      void ask(simulation, via, kind, async ({ operations }) => void (await operations.rebalanceAgents({})));
      return;
    case 'reconnect': {
      const reconnecting = ask(simulation, via, kind, async ({ operations }) => {
        const { uuid } = await simulation.hostOf(fault.agent);
        await operations.reconnectHost({ hostId: uuid });
      });
      simulation.asked(fault, reconnecting);
      return;
    }
    case 'provision':
      void ask(simulation, via, kind, async ({ operations }) => {
        const { uuid } = await simulation.hostOf(fault.agent);
        await operations.provisionCertificate({ hostId: uuid });
      });
      return;
    case 'command':
      simulation.sendOne(via, fault.agent, fault.wait);
      return;
    case 'job':
      void ask(simulation, via, kind, async ({ operations }) => {
        const token = simulation.newToken('job');
        const commands = [{ class: COUNT, fields: { token } }];
        const { uuid } = await operations.sendCommand({ all: true, commands, wait: fault.wait, maxErrors: -1 });
        simulation.jobs.set(uuid, token);
      });
      return;
  }
}

/**
 * An operator asks a server for something, if it serves. A refusal is no fault.
 * @returns whether it was done; nothing, when the process ends meanwhile
 */
export function ask(
  simulation: Simulation,
  via: number,
  what: string,
  work: (node: ManagementNode) => Promise<void>,
): Promise<boolean> {
  const server = simulation.servers[via];
  const node = server?.serving;
  if (server === undefined || node === undefined) return Promise.resolve(false);
  const { process } = server;
  const asking = work(node).then(
    () => {
      simulation.transcript.add('operator', `${what}: done through ${server.name}`);
      return true;
    },
    error => {
      if (!(error instanceof OperationError || error instanceof StoreError)) {
        simulation.fail(
          `${what} through ${server.name} failed as nothing may: ${reasonOf(error)} (${String(codeOf(error))})`,
        );
      }
      simulation.transcript.add('operator', `${what}: ${reasonOf(error)}`);
      return false;
    },
  );
  if (process !== undefined) simulation.underWay(`${what} through ${server.name}`, process, asking);
  return asking;
}

function describe(fault: Fault): string {
  return JSON.stringify(fault);
}
