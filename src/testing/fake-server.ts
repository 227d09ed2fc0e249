import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import type { SecureContext, TLSSocket } from 'node:tls';
import { type Dialer, type Wire, wireOver } from '../agent/dial/dialer.js';
import { type Clock, systemClock } from '../lib/clock.js';
import {
  acceptTls,
  type CloseReason,
  FLAG,
  Link,
  type Message,
  type Packet,
  PingAnswer,
  PingRoutingCommand,
  type ReadRate,
  ReadyCommand,
  type RemoteEnd,
  ShutdownCommand,
  StartupAnswer,
  StartupRoutingCommand,
  type Transport,
} from '../protocol/index.js';
import { FakeClock } from './fake-clock.js';

/** What becomes of a connection: it is taken; refused; swallowed; taken and never spoken to; closed at once. */
export type Behaviour = 'accept' | 'refuse' | 'hang' | 'mute' | 'close';

/** More than anybody sends. */
export const ANY_RATE: ReadRate = { bytes: { perSecond: 1e12, burst: 1e12 }, packets: { perSecond: 1e9, burst: 1e9 } };

/** What a fake server tells an agent of itself. */
export interface HostIdentity {
  /** The number of the host, as in packets. */
  readonly hostId: number;
  /** `hostUuid` of StartupAnswer and ReadyCommand. */
  readonly hostUuid: string;
  /** `hostName` of StartupAnswer and ReadyCommand. */
  readonly hostName: string;
}

type ReadyFields = Parameters<typeof ReadyCommand.encode>[0];

/**
 * A management server that does what a test tells it: for agents in the same process by `FakeNetwork`, for others by `listen`.
 * @example
 * const server = new FakeServer('127.0.0.1', secureContext(await testCertificate()));
 * server.onRequest = (link, request) => console.log(request.messages[0]?.type);
 * const port = await server.listen();
 * // … until an agent is Ready
 * const answer = await server.last.send([CheckHealthCommand.encode({})]);
 * await server.close();
 */
export class FakeServer {
  /** Where it listens, and the name by which a `FakeNetwork` knows it. */
  readonly address: string;
  /** The id that its packets carry. */
  readonly msid: bigint;
  /** What becomes of connections from now on. @default 'accept' */
  behaviour: Behaviour = 'accept';
  /** What the agent is told of itself. */
  identity: HostIdentity = { hostId: 7, hostUuid: 'uuid-7', hostName: 'name-7' };
  /** seconds */
  pingInterval = 60;
  /** Whether a ping gets a PingAnswer. @default true */
  answersPings = true;
  /** Goes into every PingAnswer. */
  pingAnswer: Parameters<typeof PingAnswer.encode>[0] = {};
  /** The host list and what goes with it, for the second Ready. */
  list: ReadyFields = {};
  /** The conversation from Startup to Ready. */
  onStartup: (link: FakeLink, startup: Packet) => unknown = (link, startup) => link.register(startup);
  /** What else it does about a request. */
  onRequest: (link: FakeLink, request: Packet) => void = () => {};
  /** Every link that got as far as TLS, the last one last. */
  readonly links: FakeLink[] = [];
  /** TCP connections, whatever became of them. */
  connections = 0;
  /** A clock of its own, so that the agent's has the agent's timers only. */
  readonly clock = new FakeClock();
  /** Decides about the agent's certificate, which is asked for then. What it throws ends the connection. */
  judge: ((peer: TLSSocket) => void) | undefined;
  /** Its certificate and key. */
  context: SecureContext;
  #listener: Server | undefined;
  readonly #sockets = new Set<Duplex>();

  constructor(address: string, context: SecureContext, msid = 1001n) {
    this.address = address;
    this.context = context;
    this.msid = msid;
  }

  /** The link that came last. @throws Error when there is none */
  get last(): FakeLink {
    const link = this.links.at(-1);
    if (link === undefined) throw new Error(`nobody has connected to ${this.address}`);
    return link;
  }

  /** Links that are Ready as the server sees it, and open. */
  get ready(): readonly FakeLink[] {
    return this.links.filter(({ isReady, closed }) => isReady && closed === undefined);
  }

  /** As kill -9 does. */
  die(behaviour: Behaviour = 'refuse'): void {
    this.behaviour = behaviour;
    for (const link of this.links) link.link.destroy('the server dies');
  }

  /** Takes agents at a free port of `address`. @returns the port @throws the system's error */
  async listen(): Promise<number> {
    const listener = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
      if (this.behaviour === 'refuse') socket.resetAndDestroy();
      else void this.accept(socket, { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 });
    });
    this.#listener = listener.listen(0, this.address);
    await once(listener, 'listening');
    const at = listener.address();
    return typeof at === 'object' && at !== null ? at.port : 0;
  }

  /** Ends what `listen` has begun, and all links and connections. */
  async close(): Promise<void> {
    this.die();
    for (const socket of this.#sockets) socket.destroy();
    const listener = this.#listener;
    this.#listener = undefined;
    if (listener === undefined) return;
    const closed = once(listener, 'close');
    listener.close();
    await closed;
  }

  /** Takes a connection of an agent. Never rejects. */
  async accept(socket: Duplex, remote: RemoteEnd): Promise<void> {
    this.connections++;
    this.#sockets.add(socket);
    // An agent may reset what is never read.
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    if (this.behaviour === 'close') socket.end();
    if (this.behaviour !== 'accept') return;
    try {
      // Its clock stands still, so it reads as fast as the agent sends.
      const readRate = ANY_RATE;
      const { clock, context, judge } = this;
      const options = { clock, context, handshakeTimeoutMs: 30_000, remote, readRate, ...(judge && { judge }) };
      this.links.push(new FakeLink(this, await acceptTls(socket, options)));
    } catch {
      // The agent did not like the certificate, or has gone.
    }
  }
}

/**
 * The server's end of one link.
 * @example
 * await server.last.send([CheckHealthCommand.encode({})]);
 */
export class FakeLink {
  /** Whose end it is. */
  readonly server: FakeServer;
  /** Sends requests and answers of any form. */
  readonly link: Link;
  /** The connection below it. */
  readonly transport: Transport;
  /** All requests of the agent's, in order. */
  readonly requests: Packet[] = [];
  /** Whether the agent has answered a ReadyCommand. */
  isReady = false;
  /** Why it has ended; undefined while it is open. */
  closed: CloseReason | undefined;
  /** Of the last request sent. */
  sequence: bigint;

  constructor(server: FakeServer, transport: Transport) {
    this.server = server;
    this.transport = transport;
    // As a real server's: beyond 2^53.
    this.sequence = BigInt(server.links.length + 1) << 48n;
    const nextSequence = () => ++this.sequence;
    this.link = new Link(transport, { clock: server.clock, nextSequence, ownFlags: FLAG.fromServer });
    this.link.start({
      // As over a real network: never before the sender's own call has returned.
      onRequest: request => void systemClock.turn().then(() => this.#onRequest(request)),
      onUnreadable: () => {},
      onClose: reason => {
        this.closed = reason;
      },
    });
  }

  /** The agent's requests of this class. */
  of({ type }: { readonly type: string }): readonly Packet[] {
    return this.requests.filter(({ messages: [message] }) => message?.type === type);
  }

  /** A request to the agent, and its answer. */
  send(messages: readonly Message[], flags: number = FLAG.stopOnError | FLAG.inSequence): Promise<Packet> {
    const hostId = BigInt(this.server.identity.hostId);
    return this.link.request(messages, { flags, mgmtId: this.server.msid, agentId: hostId, via: hostId }, 60_000);
  }

  /** Answers Startup. */
  startupAnswer(startup: Packet, fields: Parameters<typeof StartupAnswer.encode>[0] = {}): void {
    const { identity, pingInterval, msid } = this.server;
    const answer = StartupAnswer.encode({ ...identity, pingInterval, result: true, ...fields });
    this.link.answer(startup, [answer], { mgmtId: msid, via: -1n });
  }

  /** One ReadyCommand, answered. */
  async ready(fields: ReadyFields = {}): Promise<Packet> {
    const { hostId, hostUuid, hostName } = this.server.identity;
    const answer = await this.send([ReadyCommand.encode({ dcId: 1, hostId, hostUuid, hostName, ...fields })]);
    this.isReady = true;
    return answer;
  }

  /** As Muster's servers do: the real ids at once, then both Ready. */
  async register(startup: Packet): Promise<void> {
    this.startupAnswer(startup);
    await this.ready();
    await this.ready(this.server.list);
  }

  #onRequest(request: Packet): void {
    this.requests.push(request);
    this.server.onRequest(this, request);
    const [message] = request.messages;
    if (message === undefined) return;
    // A link that closes meanwhile ends whatever was going on.
    if (request.messages.some(StartupRoutingCommand.is))
      Promise.resolve(this.server.onStartup(this, request)).catch(() => {});
    if (PingRoutingCommand.is(message) && this.server.answersPings) this.pingAnswer(request);
    if (ShutdownCommand.is(message)) this.link.close('the agent goes');
  }

  /** Answers a ping. */
  pingAnswer(ping: Packet): void {
    const [message] = ping.messages;
    const answer = PingAnswer.encode({
      _command: message?.fields,
      reconcileCommands: [],
      result: true,
      ...this.server.pingAnswer,
    });
    this.link.answer(ping, [answer], { mgmtId: this.server.msid });
  }
}

/**
 * Routes an agent's dials to fake servers, by name or address.
 * @example
 * const dialer = new FakeNetwork([one, two], { 'ms.example.com': '10.0.0.1,10.0.0.2' }, clock);
 * const agent = await startAgent({ file: 'agent.properties', overrides: { host: 'ms.example.com' }, dialer, clock });
 */
export class FakeNetwork implements Dialer {
  readonly #servers: readonly FakeServer[];
  readonly #names: ReadonlyMap<string, string>;
  readonly #clock: Clock;
  /** Names and addresses, as they were asked for. */
  readonly dialled: string[] = [];
  #port = 40_000;

  /** @param names to addresses, with commas between several; a server has its address as a name in any case */
  constructor(servers: readonly FakeServer[], names: Readonly<Record<string, string>>, clock: Clock) {
    this.#servers = servers;
    this.#names = new Map(Object.entries(names));
    this.#clock = clock;
  }

  /** Whether the name leads to this server alone. */
  isNameOf(name: string, server: FakeServer): boolean {
    return (this.#names.get(name) ?? name) === server.address;
  }

  async addresses(host: string): Promise<readonly string[]> {
    this.dialled.push(`${Math.round(this.#clock.now())} ${host}`);
    return (this.#names.get(host) ?? host).split(',');
  }

  connect(address: string, port: number, signal: AbortSignal): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const server = this.#servers.find(other => other.address === address);
      if (server?.behaviour === 'hang') {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        return;
      }
      if (server === undefined || server.behaviour === 'refuse') {
        reject(Object.assign(new Error(`connect ECONNREFUSED ${address}:${port}`), { code: 'ECONNREFUSED' }));
        return;
      }
      const [agentSide, serverSide] = duplexPair();
      for (const [end, other] of [
        [agentSide, serverSide],
        [serverSide, agentSide],
      ] as const) {
        end.on('error', () => {});
        // As a reset does; after an orderly end the other side has read all by then.
        end.on('close', () => other.destroy());
      }
      const local = { address: '10.9.9.9', port: this.#port++ };
      resolve(wireOver(agentSide, { local, remote: { address: server.address, port } }));
      server.accept(serverSide, local);
    });
  }
}
