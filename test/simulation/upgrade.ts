import { ask } from './faults.js';
import type { Fault } from './schedule.js';
import type { ServerMachine } from './server-machine.js';
import type { Simulation } from './simulation.js';
import { PHASE } from './world.js';

const LOOK_MS = 500;
/** An operator waits no longer for a server to come to a state, and goes on. */
const PATIENCE_MS = 60_000;

/** A rolling upgrade, as docs/maintenance.md tells operators to do it. It ends when faults stop. */
export async function upgrade(simulation: Simulation, fault: Fault & { readonly kind: 'upgrade' }): Promise<void> {
  for (const index of fault.servers) {
    const server = simulation.servers[index];
    if (server === undefined || simulation.isHealed) return;
    await takeOut(simulation, server, fault.way);
    if (simulation.isHealed) return;
    await passes(simulation, fault.ms);
    if (simulation.isHealed) return;
    simulation.transcript.add('operator', `starts ${server.name} again`);
    server.revive();
    await comes(simulation, () => server.serving !== undefined);
    if (server.serving?.membership.state === 'Maintenance') {
      await ask(simulation, index, 'cancel maintenance', async ({ operations }) => {
        await operations.cancelMaintenance({ serverId: await simulation.serverId(server.msid) });
      });
    }
    await comes(simulation, () => server.serving?.notReady() === undefined);
  }
}

/** Until its process has ended. */
async function takeOut(
  simulation: Simulation,
  server: ServerMachine,
  way: (Fault & { readonly kind: 'upgrade' })['way'],
): Promise<void> {
  const via = simulation.servers.findIndex(other => other !== server && other.serving !== undefined);
  const stateIs = (state: string) => () => server.serving?.membership.state === state;
  const isAsked =
    way !== 'signal' &&
    (await ask(simulation, via, `prepare ${server.name} for ${way}`, async ({ operations }) => {
      const serverId = await simulation.serverId(server.msid);
      if (way === 'maintenance') await operations.prepareForMaintenance({ serverId });
      else await operations.prepareForShutdown({ serverId });
    }));
  if (isAsked && way === 'maintenance') await comes(simulation, stateIs('Maintenance'));
  if (isAsked && way === 'shutdown' && (await comes(simulation, stateIs('ReadyToShutDown')))) {
    await ask(simulation, via, `shut ${server.name} down`, async ({ operations }) => {
      await operations.triggerShutdown({ serverId: await simulation.serverId(server.msid) });
    });
    await comes(simulation, () => !server.isRunning);
  }
  await server.stop('SIGTERM');
}

function passes({ world }: Simulation, ms: number): Promise<void> {
  return new Promise(resolve => {
    world.plan(ms, PHASE.io, undefined, resolve);
  });
}

/** @returns false: it has not come to it in time, or faults have stopped */
async function comes(simulation: Simulation, isSo: () => boolean): Promise<boolean> {
  const { world } = simulation;
  const end = world.now + PATIENCE_MS;
  while (!isSo() && world.now < end && !simulation.isHealed) await passes(simulation, LOOK_MS);
  return isSo();
}
