import type { Random } from '../../src/lib/random.js';
import { composeNode, type ManagementNode } from '../../src/mgmt/compose-node.js';
import { readConfiguration } from '../../src/mgmt/config/parameters.js';
import type { PeerIdentity } from '../../src/mgmt/security/peer-identity.js';
import { retryWhileAway } from '../../src/mgmt/store/store-health.js';
import { openKeys } from '../helpers/api-bench.js';
import { AGENT_PORT } from './agent-machine.js';
import { ISSUER, serverCertificate, simulatedCa } from './certificates.js';
import { type Hello, SimulatedContext, type SimulatedEnd, type Welcome } from './simulated-end.js';
import { MachineClock, SimulatedProcess } from './simulated-process.js';
import type { Simulation } from './simulation.js';
import { StoreLink } from './store-link.js';

/** The machine of a management server: its clock, and its way to the store, stay when its process ends. */
export class ServerMachine {
  readonly name: string;
  readonly address: string;
  readonly msid: number;
  readonly clock: MachineClock;
  readonly storeLink: StoreLink;
  process: SimulatedProcess | undefined;
  node: ManagementNode | undefined;
  readonly #simulation: Simulation;
  readonly #random: Random;
  /** The process that was told to stop. */
  #stopping: SimulatedProcess | undefined;

  constructor(simulation: Simulation, index: number) {
    this.#simulation = simulation;
    this.name = `server-${index + 1}`;
    this.address = `192.0.2.${index + 1}`;
    this.msid = 1001 + index;
    this.#random = simulation.world.random(this.name);
    this.clock = new MachineClock(simulation.world.random(`${this.name} clocks`));
    this.storeLink = new StoreLink(simulation.world, simulation.world.random(`${this.name} store`));
  }

  get isRunning(): boolean {
    return this.process?.isAlive ?? false;
  }

  /** The node, if its process lives and serves. */
  get serving(): ManagementNode | undefined {
    const { node } = this;
    return this.isRunning && node !== undefined && node.notReady() !== 'starting' && node.notReady() !== 'stopping'
      ? node
      : undefined;
  }

  start(): void {
    const process = new SimulatedProcess(this.name, this.#simulation.world, this.clock);
    this.process = process;
    this.node = undefined;
    this.#simulation.transcript.add(this.name, 'starts');
    this.#open(process).catch(error => {
      // One that is told to stop while it starts does not start.
      if (process.isAlive && this.#stopping !== process)
        this.#simulation.fail(`${this.name} cannot start: ${String(error)}`);
    });
  }

  async #open(process: SimulatedProcess): Promise<void> {
    const { transcript, network, invariants } = this.#simulation;
    const { clock } = process;
    const log = transcript.logOf(this.name);
    const store = this.storeLink.over(this.#simulation.store, process, call => invariants.storeCalled(call, this.msid));
    const waiting = { clock, stopping: new AbortController().signal };
    const { configuration } = readConfiguration(await retryWhileAway(waiting, () => store.configuration()));
    const apiKeys = await retryWhileAway(waiting, () => openKeys({ clock, log, store }));
    const context = new SimulatedContext({ kind: 'server', msid: this.msid });
    const node = composeNode({
      clock,
      random: this.#random,
      log,
      store,
      msid: this.msid,
      address: this.address,
      name: this.name,
      dataDirToken: `folder of ${this.name}`,
      configuration,
      agentsPort: {
        open: async () => {
          network.listen(this.address, { process, port: AGENT_PORT, accept: (end, hello) => this.#accept(end, hello) });
          return { address: this.address, port: AGENT_PORT };
        },
        close: async () => network.unlisten(this.address),
      },
      secureContext: () => context,
      serverContext: () => context,
      serverDialer: {
        connect: async (address, port, signal) => {
          const end = await network.dial(process, this.address, address, port, signal);
          return {
            async secure({ handshakeTimeoutMs, clock: own, judge }) {
              const { certificate } = await end.secure(context.hello, { clock: own ?? clock, handshakeTimeoutMs });
              judge(certificate);
              return end;
            },
            destroy: () => end.destroy(),
          };
        },
      },
      ca: simulatedCa(clock, this.#random),
      apiKeys,
      onFatal: error => {
        transcript.add(this.name, `ends: ${error.message}`);
        this.kill(false);
      },
      onShutdown: () => void this.stop('SIGTERM'),
    });
    this.node = node;
    await node.start();
    transcript.add(this.name, 'serves');
  }

  kill(isPowerCut: boolean): void {
    this.#simulation.endProcess(this, isPowerCut);
  }

  revive(): void {
    if (this.isRunning) return;
    this.#simulation.network.machineIsUp(this.address);
    this.start();
  }

  /** As the signal does it: the process ends when it has stopped. */
  async stop(signal: 'SIGTERM' | 'SIGINT'): Promise<void> {
    const { process, node } = this;
    if (process === undefined || !process.isAlive || node === undefined) return;
    this.#simulation.transcript.add(this.name, `gets ${signal}`);
    this.#stopping = process;
    this.#simulation.excusesEnd(this);
    if (signal === 'SIGTERM') await node.drain();
    await node.stop(signal === 'SIGTERM' ? 'orderly' : 'now');
    await this.storeLink.close();
    await process.clock.turn();
    this.#simulation.invariants.serverStopped(this, process, node);
    process.end();
    this.#simulation.excusesEnd(this);
    this.#simulation.network.ended(process, false);
    this.#simulation.transcript.add(this.name, 'has stopped');
  }

  #accept(end: SimulatedEnd, hello: Hello): Welcome | undefined {
    const { node } = this;
    if (node === undefined) return undefined;
    const identity = identityOf(hello);
    const certificate = hello.kind === 'agent' ? hello.certificate : undefined;
    const now = this.process?.clock.wallTime() ?? 0;
    const expired = certificate !== undefined && certificate.notAfter < now ? 'the certificate has expired' : undefined;
    const objection = expired ?? node.agents.peers.objectionTo(identity);
    if (objection !== undefined) {
      node.agents.peers.refused(end.remote.address, objection);
      return undefined;
    }
    node.agents.server.serveTransport(end, identity);
    return { certificate: serverCertificate(this.msid) };
  }
}

function identityOf(hello: Hello): PeerIdentity {
  if (hello.kind === 'server') return { kind: 'server', msid: hello.msid, serial: `5e${hello.msid}`, issuer: ISSUER };
  if (hello.certificate === undefined) return { kind: 'none' };
  const { uuid, serial } = hello.certificate;
  return { kind: 'host', uuid, serial, issuer: ISSUER, ends: Number.MAX_SAFE_INTEGER };
}
