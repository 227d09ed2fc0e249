import type { X509Certificate } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import { withinLimit } from '../../../lib/abort.js';
import { reasonOf } from '../../../lib/errors.js';
import {
  MemoryBudget,
  type PeerTerms,
  ServerLinkAnswer,
  ServerLinkCommand,
  type Transport,
} from '../../../protocol/index.js';
import { MGMT_LIMITS } from '../../config/limits.js';
import type { ServerIdentity } from '../../security/peer-identity.js';
import type { ObservedServer } from '../observed-servers.js';
import { ServerConnection } from './server-connection.js';
import type { ServerDialer, ServerWire } from './server-dialer.js';
import { ServerPeer, type ServerPeerParts } from './server-peer.js';
import type { RequestSignals, ServerReply, ServerRequest } from './server-request.js';

export interface ServerLinksParts extends Omit<ServerPeerParts, 'dial'> {
  readonly dialer: ServerDialer;
  /** This server's certificate of the CA in the store, for the next connection. */
  context(): SecureContext;
  /** Who a server is by its certificate. @throws Error: it is no good certificate of a server */
  judge(certificate: X509Certificate | undefined): ServerIdentity;
  /** Why the certificate is good no longer; undefined: it is. */
  objectionTo(identity: ServerIdentity): string | undefined;
  /** All servers, as of the last heartbeat. */
  servers(): readonly ObservedServer[];
  /** Has them read now. */
  refresh(): Promise<unknown>;
  /** Whether this server's agents' port is open. If not, nobody else can open a link. */
  isReachable(): boolean;
  /** Tells operators of a connection that was refused. */
  refused(address: string, why: string): void;
}

/** Nobody is held back: a server is no stranger. */
const ANY_RATE: NonNullable<PeerTerms['readRate']> = {
  bytes: { perSecond: Number.MAX_SAFE_INTEGER, burst: Number.MAX_SAFE_INTEGER },
  packets: { perSecond: Number.MAX_SAFE_INTEGER, burst: Number.MAX_SAFE_INTEGER },
};

const SERVER_NAME = '.server.muster.invalid';

/** The links to the other servers: one for each, opened when it is first needed, and kept. */
export class ServerLinks {
  readonly #parts: ServerLinksParts;
  /** For transports whose peer is a server. */
  readonly terms: PeerTerms;
  readonly #peers = new Map<number, ServerPeer>();
  readonly #connections = new Set<ServerConnection>();
  #isOver = false;

  constructor(parts: ServerLinksParts) {
    this.#parts = parts;
    const budget = new MemoryBudget({ ready: MGMT_LIMITS.serverLinkBytes });
    this.terms = { budget, readRate: ANY_RATE };
  }

  /** Has another server send commands to an agent of its own. See `ServerPeer.request`. */
  request(msid: number, request: ServerRequest, signals: RequestSignals): Promise<ServerReply> {
    if (this.#isOver) return Promise.resolve({ kind: 'notSent', reason: 'this server stops' });
    return this.#peer(msid).request(request, signals);
  }

  /** The store has a job for another server. It is told at once if it can be; it looks again and again in any case. */
  tellOfJobs(msid: number): void {
    if (!this.#isOver && msid !== this.#parts.msid && this.#isAlive(msid)) this.#peer(msid).tellOfJobs();
  }

  /** Whether there is a link to the server now. */
  isLinked(msid: number): boolean {
    return this.#peers.get(msid)?.isOpen ?? false;
  }

  /** The context for a client that asks for this name: another server does, beside an operator's certificate for agents. */
  contextFor(name: string): SecureContext | undefined {
    return name === serverName(this.#parts.msid) ? this.#parts.context() : undefined;
  }

  /** Whether it is the address of another server. */
  isAt(address: string): boolean {
    return this.#parts.servers().some(({ msid, serviceIp }) => msid !== this.#parts.msid && serviceIp === address);
  }

  /** A connection whose peer has shown a server's certificate. */
  accept(transport: Transport, identity: ServerIdentity): void {
    const { clock } = this.#parts;
    const connection = this.#connection(transport, identity);
    const due = clock.after(MGMT_LIMITS.serverGreetingMs, () => connection.destroy('no greeting'));
    let hasGreeted = false;
    connection.start({
      onControl: message => {
        if (hasGreeted) this.#peers.get(identity.msid)?.receiveControl(connection, message);
        else if (ServerLinkCommand.is(message)) {
          hasGreeted = true;
          due.cancel();
          const { runId = '' } = ServerLinkCommand.decode(message);
          void this.#welcome(connection, runId);
        } else connection.destroy('the first packet is no greeting');
      },
      onPacket: packet => {
        if (hasGreeted) this.#peers.get(identity.msid)?.receive(connection, packet);
        else {
          this.#parts.refused(connection.remote.address, 'the certificate of a management server is no agent’s');
          connection.destroy('the first packet is no greeting');
        }
      },
      onEnd: why => {
        due.cancel();
        this.#parts.log.debug('A link of another server has ended', { msid: identity.msid, reason: why });
        this.#peers.get(identity.msid)?.ended(connection);
      },
    });
  }

  /** Ends the links whose certificates are good no longer. */
  endRevoked(): void {
    for (const connection of this.#openConnections()) {
      const objection = this.#parts.objectionTo(connection.identity);
      if (objection !== undefined) connection.destroy(objection);
    }
  }

  /** One pass, at each heartbeat: nothing is expected of the dead, and a server that cannot be dialled dials all. */
  async reconcile(): Promise<void> {
    if (this.#isOver) return;
    const { servers, msid, isReachable } = this.#parts;
    for (const peer of this.#peers.values()) {
      if (!this.#isAlive(peer.msid)) peer.gone('the server is down');
      else if (servers().some(server => server.msid === peer.msid && server.isSilent)) peer.silent();
    }
    if (isReachable()) return;
    for (const other of servers()) if (other.msid !== msid && !other.isDead) this.#peer(other.msid).need();
  }

  /** For good: what other servers have asked is told to be taken back, then the links end. */
  async stop(): Promise<void> {
    this.#isOver = true;
    for (const peer of this.#peers.values()) peer.cancelServed('the server of the host stops');
    await this.#parts.clock.turn();
    for (const peer of this.#peers.values()) peer.gone('this server stops');
    for (const connection of this.#openConnections()) connection.close('this server stops');
  }

  #connection(transport: Transport, identity: ServerIdentity): ServerConnection {
    const { clock, msid } = this.#parts;
    this.#openConnections();
    const connection = new ServerConnection(transport, identity, { clock, msid });
    this.#connections.add(connection);
    return connection;
  }

  #openConnections(): readonly ServerConnection[] {
    for (const connection of this.#connections) if (connection.isOver) this.#connections.delete(connection);
    return [...this.#connections];
  }

  #peer(msid: number): ServerPeer {
    const known = this.#peers.get(msid);
    if (known !== undefined) return known;
    const peer = new ServerPeer(msid, { ...this.#parts, dial: (other, signal) => this.#dial(other, signal) });
    this.#peers.set(msid, peer);
    return peer;
  }

  #isAlive(msid: number): boolean {
    return this.#parts.servers().some(server => server.msid === msid && !server.isDead);
  }

  /** Only servers that live: the row of one that has just started may not have been read yet. */
  async #welcome(connection: ServerConnection, runId: string): Promise<void> {
    const { msid } = connection.identity;
    if (!this.#isAlive(msid)) await this.#parts.refresh();
    if (connection.isOver) return;
    if (this.#isOver || msid === this.#parts.msid || runId === '' || !this.#isAlive(msid)) {
      const details = `${msid} is no management server that lives`;
      this.#parts.refused(connection.remote.address, `the certificate is that of a management server, and ${details}`);
      connection.control(ServerLinkAnswer.encode({ result: false, details }));
      connection.close(details);
      return;
    }
    this.#peer(msid).offer(connection, runId);
  }

  async #dial(msid: number, signal: AbortSignal): Promise<ServerConnection> {
    const { clock, dialer, servers } = this.#parts;
    const server = servers().find(other => other.msid === msid && !other.isDead);
    if (server === undefined) throw new Error('it does not live');
    const { serviceIp: address, servicePort: port } = server;
    if (port === null) throw new Error('its port is not known yet');
    const late = (): never => {
      throw new Error(`no connection within ${MGMT_LIMITS.serverConnectMs / 1_000} s`);
    };
    const wire = await withinLimit(
      clock,
      MGMT_LIMITS.serverConnectMs,
      limit => dialer.connect(address, port, AbortSignal.any([signal, limit])),
      late,
    );
    const abandon = () => wire.destroy();
    // It may have been given up in the moment in which the connection was there.
    if (signal.aborted) {
      abandon();
      throw signal.reason;
    }
    signal.addEventListener('abort', abandon, { once: true });
    try {
      const { transport, identity } = await this.#secure(wire, { msid, address });
      return this.#connection(transport, identity);
    } finally {
      signal.removeEventListener('abort', abandon);
    }
  }

  async #secure(
    wire: ServerWire,
    { msid, address }: { readonly msid: number; readonly address: string },
  ): Promise<{ readonly transport: Transport; readonly identity: ServerIdentity }> {
    const { clock, context, judge, refused } = this.#parts;
    let identity: ServerIdentity | undefined;
    const transport = await wire.secure({
      clock,
      context: context(),
      handshakeTimeoutMs: MGMT_LIMITS.serverHandshakeMs,
      host: serverName(msid),
      ...this.terms,
      judge(certificate) {
        try {
          identity = judge(certificate);
          if (identity.msid !== msid) throw new Error(`the certificate is that of server ${identity.msid}`);
        } catch (error) {
          refused(address, `server ${msid} was expected there: ${reasonOf(error)}`);
          throw error;
        }
      },
    });
    if (identity === undefined) throw new Error('the certificate was not judged');
    return { transport, identity };
  }
}

/** By this name (SNI) a server asks for the certificate that another one shows to servers. */
function serverName(msid: number): string {
  return `${msid}${SERVER_NAME}`;
}
