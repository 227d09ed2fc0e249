import { sharedAbortController } from '../lib/abort.js';
import type { Clock, Timer } from '../lib/clock.js';
import { callOut, Emitter, type Events } from '../lib/emitter.js';
import { reasonOf } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';
import type { Random } from '../lib/random.js';
import { VERSION } from '../lib/version.js';
import { AGENT_CAPABILITIES, formatHostList, LIMITS, type Message } from '../protocol/index.js';
import type { AgentEvent, Effect, HostUpdate } from './agent-events.js';
import type { AgentProperties } from './agent-properties.js';
import { type AgentState, hasSay, initialState, migrationTargets, nextDue, readyLink } from './agent-state.js';
import { next } from './agent-step.js';
import { purposeOf } from './arrival.js';
import type { CommandJournal } from './commands/command-journal.js';
import { KeptAnswers } from './commands/kept-answers.js';
import { LoopWatch } from './commands/loop-watch.js';
import { CommandProgress } from './commands/progress.js';
import type { ServedRequestsParts } from './commands/served-requests.js';
import { CommandsUnderWay } from './commands/under-way.js';
import type { Dialer } from './dial/dialer.js';
import { AgentDoctor } from './doctor/agent-doctor.js';
import type { HostIdentity } from './handlers/handler.js';
import { type LinkEvents, linkEventsOf } from './link-events.js';
import { type AgentMeters, SILENT_AGENT_METERS } from './metrics/agent-metrics.js';
import { countStep } from './metrics/count-step.js';
import { OutOfBandPings } from './out-of-band.js';
import { type PingSays, pingReportOf } from './ping-says.js';
import type { Resource } from './resources/resource.js';
import { startupCommands } from './resources/startup-commands.js';
import { Session } from './session.js';
import type { AgentSettings } from './settings.js';
import type { Refusal } from './trust/refusal.js';
import type { AgentTrust, Credentials } from './trust/trust.js';

/** What an agent is made of. `startAgent` makes all of it from a file. */
export interface AgentParts {
  /** What its file says. */
  readonly settings: AgentSettings;
  /** Where the agent keeps what servers tell it. */
  readonly properties: AgentProperties;
  /** Who the agent is. Servers get `<guid>-<name of the resource>`. */
  readonly guid: string;
  /** What answers commands. */
  readonly resource: Resource;
  /** Remembers ids of commands. Without one the agent does nothing about them. */
  readonly journal?: CommandJournal | undefined;
  /** Its certificates, and which servers it trusts. */
  readonly trust: AgentTrust;
  /** How servers are reached. */
  readonly dialer: Dialer;
  /** That of its file: what DoctorCommand looks at. Without one it dials the hosts of the list alone. */
  readonly folder?: string | undefined;
  /** Time and turns of the event loop: `systemClock`, or a clock of a test. */
  readonly clock: Clock;
  /** Chance: `systemRandom`, or one with a seed. */
  readonly random: Random;
  /** Where log lines go. */
  readonly log: Log;
  /** Between two pings. @default what the server says */
  readonly pingIntervalMs?: number | undefined;
  /** What the agent counts with. @default nothing is counted */
  readonly meters?: AgentMeters | undefined;
}

/** What ends at once when the agent stops is written to the journal still, and has so many turns of the event loop. */
const TURNS_TO_END = 20;
const STOPS = new Error('the agent stops');

/**
 * An agent: performs what `agent-step` decides, and tells it what happens.
 * @example
 * const agent = new Agent(parts);
 * agent.start();
 * console.log(readyLink(agent.state)?.host);
 * await agent.stop();
 */
export class Agent {
  readonly #parts: AgentParts;
  readonly #sessions = new Map<number, Session>();
  readonly #instanceId: string;
  readonly #events: Emitter<LinkEvents>;
  readonly #queue: AgentEvent[] = [];
  #isStepping = false;
  #state: AgentState;
  #identity: HostIdentity | undefined;
  #sequence = 0n;
  #timer: Timer | undefined;
  /** How many links this agent has lost since its start, and why it lost the last one. Servers show it to operators. */
  #failovers = 0;
  #lastLoss: string | undefined;
  #isStopped = false;
  /** Aborts when the agent stops. Made when somebody waits for it. */
  #stopping: AbortController | undefined;
  /** Made when a server sends one. */
  #doctor: AgentDoctor | undefined;
  readonly #commands: ServedRequestsParts;
  readonly #keptAnswers: KeptAnswers | undefined;
  readonly #outOfBand: OutOfBandPings;
  readonly #pings: PingSays;
  readonly #meters: AgentMeters;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#meters = parts.meters ?? SILENT_AGENT_METERS;
    this.#events = new Emitter(parts.log);
    const { journal, resource, trust, clock, log, settings } = parts;
    this.#outOfBand = new OutOfBandPings(clock, () => this.#reportNow());
    const progress = new CommandProgress(() => this.#outOfBand.want(LIMITS.progressGapMs));
    this.#pings = { report: pingReportOf({ resource, clock, log }), progress: () => progress.all };
    this.#keptAnswers = journal && new KeptAnswers({ journal, clock, log });
    this.#commands = {
      clock,
      log,
      resource,
      trust,
      journal,
      progress,
      underWay: new CommandsUnderWay(),
      watch: new LoopWatch(clock, log),
      doctor: () => this.#lookingDoctor(),
      commandTimeoutMs: settings.commandTimeoutMs,
      stopping: () => this.#stopSignal(),
      arrival: () => this.#state.arrival,
      canMigrate: update => this.#canMigrate(update),
      confirm: ids => journal?.confirm(ids),
    };
    this.#instanceId = parts.random.uuid();
    this.#identity = this.#readIdentity();
    const { list, lastCompleted, zone } = parts.settings;
    this.#state = initialState({
      list,
      lastCompleted,
      credentials: parts.trust.id,
      idle: zone === '' ? 'removed' : undefined,
    });
  }

  /** Where the agent stands. A new object after each event. */
  get state(): AgentState {
    return this.#state;
  }

  /** When its link is Ready, lost, or replaced. */
  get events(): Events<LinkEvents> {
    return this.#events;
  }

  /** Starts the resource, and begins to dial. With an empty `zone` it stays idle. Called once. */
  start(): void {
    const { log, settings } = this.#parts;
    this.#startResource();
    if (settings.zone === '') {
      log.error(
        'Agent stays idle: zone is empty, which means that this host was removed; set zone, pod and cluster to register it anew',
      );
      return;
    }
    const { guid, resource } = this.#parts;
    log.info('Agent starts', { guid, resource: resource.name, hosts: settings.list.hosts, port: settings.port });
    this.#dispatch({ kind: 'tick' });
  }

  /** Tells the server by ShutdownCommand, ends all links, and writes pending properties. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#stopping?.abort(STOPS);
    this.#outOfBand.stop();
    this.#keptAnswers?.stop();
    const current = readyLink(this.#state);
    for (const session of this.#sessions.values()) {
      if (session.id === current?.id) session.shutDown();
      else session.drop('the agent stops');
    }
    this.#sessions.clear();
    await this.#parts.journal?.close(TURNS_TO_END);
    await this.#parts.properties.close();
  }

  /**
   * Reads the certificates anew, and connects anew, before the link in use ends, when they are others.
   * @throws TrustError when `cloud.ca.crt` cannot be used; the agent goes on with the former certificates then
   */
  async reloadCertificates(): Promise<void> {
    const { trust } = this.#parts;
    const before = trust.id;
    await trust.load();
    if (trust.id !== before) this.#onCredentials();
  }

  // ---- events in, effects out

  #dispatch(event: AgentEvent): void {
    this.#queue.push(event);
    // An effect may cause an event, which waits until the current step has ended.
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let head = this.#queue.shift(); head !== undefined; head = this.#queue.shift()) this.#step(head);
    this.#isStepping = false;
  }

  #step(event: AgentEvent): void {
    if (this.#isStopped) return;
    if (event.kind === 'dial-failed' || event.kind === 'same-server' || event.kind === 'lost') {
      this.#sessions.delete(event.id);
    }
    const { clock, random, settings } = this.#parts;
    const current = readyLink(this.#state);
    if (event.kind === 'lost' && event.id === current?.id) {
      this.#failovers++;
      this.#lastLoss = `${current.host}: ${event.why}`;
    }
    if (event.kind === 'ready' && this.#isMoving(event.id)) this.#lastLoss = undefined;
    const { state, effects } = next(this.#state, event, {
      rules: settings.rules,
      now: clock.now(),
      random: () => random.uniform(),
      busy: current !== undefined && (this.#sessions.get(current.id)?.busy ?? false),
    });
    const before = this.#state;
    this.#state = state;
    countStep(this.#meters, before, state, event);
    if (event.kind === 'ready') this.#outOfBand.ready();
    for (const effect of effects) this.#perform(effect);
    for (const { name, event: said } of linkEventsOf(before, state, event)) this.#events.emit(name, said);
    this.#timer?.cancel();
    const due = nextDue(state);
    this.#timer =
      due === undefined ? undefined : clock.after(due - clock.now(), () => this.#dispatch({ kind: 'tick' }));
  }

  #perform(effect: Effect): void {
    const { log, properties } = this.#parts;
    switch (effect.kind) {
      case 'dial':
        this.#dial(effect);
        return;
      case 'proceed':
        this.#sessions.get(effect.id)?.proceed();
        return;
      case 'give-up':
        this.#sessions.get(effect.id)?.giveUp(effect.why);
        return;
      case 'ping':
        this.#sessions.get(effect.id)?.ping();
        return;
      case 'drop':
        this.#sessions.get(effect.id)?.drop(effect.why);
        this.#sessions.delete(effect.id);
        return;
      case 'retire':
        this.#retire(effect.id);
        return;
      case 'quiesce':
        this.#sessions.get(effect.id)?.quiesce();
        return;
      case 'persist':
        properties.set(effect.changes);
        return;
      case 'log':
        log[effect.level](effect.message, effect.fields);
        return;
    }
  }

  #dial({ id, host, transferred, unlike, leavesServer, isUrgent }: Effect & { kind: 'dial' }): void {
    const { settings, clock, log, dialer, trust } = this.#parts;
    const remote = unlike === undefined ? undefined : this.#sessions.get(unlike)?.remoteAddress;
    const session = new Session(
      { id, host, transferred, unlike: remote, leavesServer, isUrgent },
      {
        clock,
        log,
        dialer,
        trust,
        port: settings.port,
        handshakeTimeoutMs: settings.handshakeTimeoutMs,
        pingIntervalMs: this.#parts.pingIntervalMs,
        commands: this.#commands,
        keptAnswers: this.#keptAnswers,
        meters: this.#meters,
        pings: this.#pings,
        liveness: { answerTimeoutMs: settings.pingAnswerTimeoutMs, retries: settings.pingRetries },
        nextSequence: () => this.#sequence++,
        hostId: () => this.#identity?.hostId,
        startup: (transferred, token) => this.#startup(id, transferred, token),
        onIdentity: identity => this.#onIdentity(id, identity),
        onCertificate: () => this.#onCredentials(),
        onAccepted: credentials => this.#onAccepted(credentials),
        onRefused: (credentials, why, how) => void this.#onRefused(credentials, why, how),
        onEvent: event => this.#dispatch(event),
      },
    );
    this.#sessions.set(id, session);
    log.debug('Dialling', { host, link: id });
    session.start();
  }

  async #retire(id: number): Promise<void> {
    await this.#sessions.get(id)?.retire();
    this.#sessions.delete(id);
    this.#dispatch({ kind: 'retired', id });
  }

  // ---- for the sessions

  async #startup(session: number, transferred: boolean, token: string | undefined): Promise<readonly Message[]> {
    const { settings, guid, resource, journal } = this.#parts;
    return startupCommands(await resource.startup(), {
      dataCenter: settings.zone,
      pod: settings.pod,
      cluster: settings.cluster,
      guid: `${guid}-${resource.name}`,
      id: this.#identity?.hostId,
      version: VERSION,
      resourceName: resource.name,
      msHostList: formatHostList(this.#state.list),
      connectionTransferred: transferred,
      hostTags: [...(resource.tags ?? []), ...settings.hostTags],
      muster: {
        version: VERSION,
        instanceId: this.#instanceId,
        link: session,
        failovers: this.#failovers,
        moveKind: purposeOf(this.#state).kind,
        lastLoss: this.#isMoving(session) ? undefined : this.#lastLoss,
        capabilities: [
          ...[AGENT_CAPABILITIES.cancel, AGENT_CAPABILITIES.doctor],
          ...(journal ? [AGENT_CAPABILITIES.commandIds] : []),
        ],
        ...(token !== undefined && { token }),
      },
    });
  }

  /** The session is to take the place of a link that is well: what was lost before that link is over. */
  #isMoving(session: number): boolean {
    const { phase } = this.#state;
    return phase.kind === 'moving' && phase.dial.id === session && phase.move.reason !== 'register';
  }

  /** Of its list, and of the last one that worked. */
  get #knownHosts(): readonly string[] {
    const { list, lastCompleted } = this.#state;
    return [...new Set([...list.hosts, ...(lastCompleted?.hosts ?? [])])];
  }

  #canMigrate({ hosts, avoid, algorithm }: HostUpdate): boolean {
    const list = hosts ? { hosts, algorithm } : this.#state.list;
    return migrationTargets({ ...this.#state, list, avoid: avoid ?? this.#state.avoid }).length > 0;
  }

  #stopSignal(): AbortSignal {
    this.#stopping ??= sharedAbortController();
    if (this.#isStopped) this.#stopping.abort(STOPS);
    return this.#stopping.signal;
  }

  #lookingDoctor(): AgentDoctor {
    const { clock, trust, dialer, folder, settings } = this.#parts;
    const { port, handshakeTimeoutMs } = settings;
    const hosts = () => this.#knownHosts;
    this.#doctor ??= new AgentDoctor({ clock, trust, dialer, folder, port, handshakeTimeoutMs, hosts });
    return this.#doctor;
  }

  // ---- the resource

  #startResource(): void {
    const { resource, log } = this.#parts;
    if (resource.start === undefined) return;
    const handle = { signal: this.#stopSignal(), push: () => this.#outOfBand.want(LIMITS.pushGapMs) };
    void callOut(
      () => resource.start?.(handle),
      error =>
        log.error('The resource has failed to start: it answers all the same', {
          resource: resource.name,
          reason: reasonOf(error),
        }),
    );
  }

  /** @returns false when there is no Ready link */
  #reportNow(): boolean {
    const current = readyLink(this.#state);
    const session = current && this.#sessions.get(current.id);
    session?.report();
    return session !== undefined;
  }

  // ---- certificates

  #onCredentials(): void {
    this.#dispatch({ kind: 'credentials', credentials: this.#parts.trust.id });
  }

  async #onRefused(credentials: Credentials, why: string, how: Refusal): Promise<void> {
    const { trust } = this.#parts;
    const before = trust.id;
    await trust.refused(credentials, why, how);
    if (trust.id !== before) this.#onCredentials();
  }

  #onAccepted(credentials: Credentials): void {
    const { trust, properties, log } = this.#parts;
    if (!trust.accepted(credentials)) return;
    log.info('This host is enrolled: enrollment.token is removed from the properties file');
    properties.set({ 'enrollment.token': undefined });
  }

  // ---- the identity that servers give to this host

  #onIdentity(session: number, identity: HostIdentity): void {
    // A link that is being left no longer counts.
    if (!hasSay(this.#state, session)) return;
    const { hostId, hostUuid = this.#identity?.hostUuid, hostName = this.#identity?.hostName } = identity;
    this.#identity = { hostId, hostUuid, hostName };
    const { name } = this.#parts.resource;
    this.#parts.properties.set({
      [`${name}.id`]: String(hostId),
      ...(hostUuid && { [`${name}.uuid`]: hostUuid }),
      ...(hostName && { [`${name}.name`]: hostName }),
    });
  }

  #readIdentity(): HostIdentity | undefined {
    const { properties, resource } = this.#parts;
    const hostId = Number(properties.get(`${resource.name}.id`) ?? '');
    if (!Number.isSafeInteger(hostId) || hostId <= 0) return undefined;
    return {
      hostId,
      hostUuid: properties.get(`${resource.name}.uuid`),
      hostName: properties.get(`${resource.name}.name`),
    };
  }
}
