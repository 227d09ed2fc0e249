import type { AgentEvent, DialFailure, Effect, HostUpdate } from '../../src/agent/agent-events.js';
import { type AgentState, dialsOf, initialState, nextDue, readyLink } from '../../src/agent/agent-state.js';
import { next } from '../../src/agent/agent-step.js';
import type { Random } from '../../src/lib/random.js';
import type { HostList } from '../../src/protocol/index.js';

/** With one well server in the list: others come first, one of them may be waited for a quarter of an hour. */
const UP_WITHIN_MS = 25 * 60_000;

const NAMES = ['A', 'B', 'C', 'D', 'E', 'F'];
const ALGORITHMS = ['static', 'roundrobin', 'shuffle', undefined];

/** How a server takes a dial. */
type Behaviour =
  | 'accepts'
  | 'accepts-once'
  | 'accepts-at-second-address'
  | 'flaps'
  | 'refuses'
  | 'hangs'
  | 'mute'
  | 'rejects'
  | 'enrols'
  | 'half-up';
const BEHAVIOURS: readonly Behaviour[] = [
  'accepts',
  'accepts',
  'accepts-once',
  'accepts-at-second-address',
  'flaps',
  'refuses',
  'hangs',
  'mute',
  'rejects',
  'enrols',
  'half-up',
];

interface Planned {
  readonly at: number;
  /** Undefined when it is no longer of interest. */
  readonly event: () => AgentEvent | undefined;
}

/**
 * A model of all that an agent's state may meet: servers with behaviours, the links to them, and what is on its way; it
 * watches over each step of the agent, and throws when one breaks what must hold.
 */
export class AgentModel {
  readonly #history: (() => string)[] = [];
  readonly #random: Random;
  readonly #behaviours = new Map<string, Behaviour>();
  readonly #planned: Planned[] = [];
  /** Under way, by id. */
  readonly #dials = new Map<number, string>();
  /** Those that were told to go on beyond TCP. */
  readonly #proceeding = new Set<number>();
  /** Ready, by id. */
  readonly #links = new Map<number, string>();
  /** Told to retire, and not closed yet; or quiet after a Shutdown. */
  readonly #leaving = new Set<number>();
  #lastId = 0;
  #lastTickAt = -1;
  #isCalm = false;
  #ticksInVain = 0;
  #now = 0;
  #state: AgentState;
  #checkIntervalMs: number | undefined;

  constructor(random: Random) {
    this.#random = random;
    for (const name of NAMES) this.#behaviours.set(name, this.#pick(BEHAVIOURS));
    const last = random.int(2) === 0 ? undefined : this.#list();
    this.#checkIntervalMs = this.#pick([undefined, undefined, 0, 1_000, 30_000]);
    this.#state = initialState({ list: this.#list(), lastCompleted: last, credentials: '0', idle: undefined });
  }

  /** The last events, and what came of them. */
  get history(): string[] {
    return this.#history.map(entry => entry());
  }

  step(): void {
    // Mostly time goes on; now and then somebody does something.
    if (this.#random.int(3) > 0) this.#advance();
    else this.#disturb();
  }

  /** Everybody gets well, and stays so: the agent must be up before long, if it is not idle. */
  mend(): void {
    this.#isCalm = true;
    const { list } = this.#state;
    const well = this.#pick(list.hosts);
    for (const name of NAMES)
      this.#behaviours.set(name, name === well ? 'accepts' : this.#pick(['hangs', 'mute', 'refuses', 'half-up']));
    for (const [id, host] of this.#links) if (host !== well) this.#lose(id);
    const end = this.#now + UP_WITHIN_MS;
    while (this.#now < end && this.#due() !== undefined) this.#advance();
    if (this.#state.phase.kind === 'idle') return;
    const link = readyLink(this.#state);
    check(link !== undefined, `not up within ${UP_WITHIN_MS} ms, though ${well} is well`);
    check(this.#dials.size === 0 || this.#planned.length > 0, 'a dial is under way for ever');
  }

  // ---- time

  #due(): number | undefined {
    const times = this.#planned.map(({ at }) => at);
    const due = nextDue(this.#state);
    if (due !== undefined) times.push(due);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** To what comes next, of the servers' doing or of the agent's. */
  #advance(): void {
    const due = this.#due();
    if (due === undefined) return;
    this.#now = Math.max(this.#now, due);
    const at = this.#planned.findIndex(planned => planned.at <= this.#now);
    const [planned] = at < 0 ? [] : this.#planned.splice(at, 1);
    if (planned === undefined) {
      this.#ticksInVain = this.#lastTickAt === this.#now ? this.#ticksInVain + 1 : 0;
      this.#lastTickAt = this.#now;
      check(this.#ticksInVain < 5, 'a busy loop');
      this.#tell({ kind: 'tick' });
      return;
    }
    const event = planned.event();
    if (event !== undefined) this.#tell(event);
  }

  #plan(afterMs: number, event: () => AgentEvent | undefined): void {
    this.#planned.push({ at: this.#now + afterMs, event });
    this.#planned.sort((a, b) => a.at - b.at);
  }

  // ---- what may happen

  #disturb(): void {
    const link = readyLink(this.#state);
    const id = link !== undefined && this.#random.int(10) > 0 ? link.id : this.#anyId();
    switch (this.#random.int(15)) {
      case 0:
      case 1:
        this.#behaviours.set(this.#pick(NAMES), this.#pick(BEHAVIOURS));
        return;
      case 2: {
        // A server dies.
        const host = this.#pick(NAMES);
        this.#behaviours.set(host, this.#pick(['refuses', 'hangs']));
        for (const [id, at] of [...this.#links]) if (at === host) this.#lose(id);
        return;
      }
      case 3:
        for (const id of [...this.#links.keys()]) if (this.#random.int(2) === 0) this.#lose(id);
        return;
      case 4:
      case 5:
        this.#tell({ kind: 'update', id, update: this.#update(), checkNow: this.#random.int(3) === 0 });
        return;
      case 6:
        this.#tell({ kind: 'migrate', id, update: this.#random.int(2) === 0 ? {} : this.#update() });
        return;
      case 7:
        this.#tell({ kind: 'suspect', id, silentMs: 15_000 });
        return;
      case 8:
        this.#tell({ kind: 'heard', id });
        return;
      case 9:
        this.#tell({ kind: 'send-startup', id });
        return;
      case 10:
        if (this.#random.int(20) === 0) this.#tell({ kind: 'shutdown', id, removeHost: this.#random.int(2) === 0 });
        return;
      case 11: {
        const [dial] = this.#dials.keys();
        if (dial !== undefined && this.#random.int(2) === 0) {
          this.#dials.delete(dial);
          this.#proceeding.delete(dial);
          this.#tell({ kind: 'same-server', id: dial });
        }
        return;
      }
      case 12:
        this.#checkIntervalMs = this.#pick([undefined, 0, 1_000, 30_000]);
        return;
      case 13:
        this.#stranger();
        return;
      case 14:
        this.#tell({ kind: 'credentials', credentials: String(this.#random.int(3)) });
        return;
    }
  }

  /** A late word of a dial or link that is no more, or never was. */
  #stranger(): void {
    const id = this.#pick([0, -1, this.#lastId + 1, this.#random.int(this.#lastId + 1)]);
    if (this.#dials.has(id) || this.#links.has(id)) return;
    const before = this.#state;
    const update = this.#update();
    const event = this.#pick<AgentEvent>([
      { kind: 'ready', id, update },
      { kind: 'dial-failed', id, why: 'late', how: 'other' },
      { kind: 'lost', id, why: 'late', how: 'closed' },
      { kind: 'update', id, update, checkNow: true },
      { kind: 'same-server', id },
      { kind: 'heard', id },
      { kind: 'shutdown', id, removeHost: true },
    ]);
    this.#tell(event);
    check(this.#state === before, `a ${event.kind} of unknown ${id} changed the state`);
  }

  #lose(id: number): void {
    this.#links.delete(id);
    this.#leaving.delete(id);
    this.#tell({ kind: 'lost', id, why: 'gone', how: 'closed' });
  }

  // ---- servers

  #onDial(id: number, host: string): void {
    this.#dials.set(id, host);
    const behaviour = this.#behaviours.get(host) ?? 'refuses';
    if (behaviour === 'refuses') this.#fail(id, 1 + this.#random.int(20), 'connection-refused');
    else if (behaviour === 'hangs') this.#fail(id, 5_000);
    else this.#connect(id);
  }

  #fail(id: number, afterMs: number, how: DialFailure = 'other'): void {
    this.#plan(afterMs, () => {
      this.#proceeding.delete(id);
      return this.#dials.delete(id) ? { kind: 'dial-failed', id, why: how, how } : undefined;
    });
  }

  #connect(id: number): void {
    this.#plan(1 + this.#random.int(1_000), () => (this.#dials.has(id) ? { kind: 'connected', id } : undefined));
  }

  /** TLS and Startup. */
  #onProceed(id: number, host: string): void {
    const ready = () => {
      this.#proceeding.delete(id);
      if (this.#dials.delete(id)) this.#links.set(id, host);
      return this.#links.has(id)
        ? ({ kind: 'ready', id, update: this.#isCalm || this.#random.int(4) > 0 ? {} : this.#update() } as const)
        : undefined;
    };
    const latency = 1 + this.#random.int(2_000);
    const answered = () => (this.#dials.has(id) ? ({ kind: 'startup-answered', id } as const) : undefined);
    switch (this.#behaviours.get(host) ?? 'refuses') {
      case 'refuses':
      case 'hangs':
        this.#fail(id, latency);
        return;
      case 'mute':
        this.#fail(id, 30_000);
        return;
      case 'rejects':
        this.#fail(id, latency, 'agent-refused');
        return;
      case 'enrols':
        // Each dial after the first is the agent that comes back.
        if (this.#random.int(2) === 0) this.#behaviours.set(host, 'accepts');
        this.#fail(id, latency, 'enrolled');
        return;
      case 'half-up':
        this.#plan(latency, answered);
        return;
      case 'accepts-at-second-address':
        this.#plan(latency, () => {
          if (!this.#proceeding.delete(id) || !this.#dials.has(id)) return undefined;
          this.#behaviours.set(host, 'accepts');
          this.#connect(id);
          return { kind: 'address-failed', id, why: 'closed' };
        });
        return;
      case 'accepts-once':
        this.#plan(latency, answered);
        this.#plan(latency + 1, ready);
        return;
      case 'flaps':
        this.#plan(latency, ready);
        this.#plan(latency + this.#random.int(8_000), () => {
          if (!this.#links.delete(id)) return undefined;
          this.#leaving.delete(id);
          return { kind: 'lost', id, why: 'flaps', how: 'closed' };
        });
        return;
      case 'accepts':
        this.#plan(latency, ready);
        this.#plan(latency + this.#random.int(200), ready);
        return;
    }
  }

  // ---- the agent, watched

  #tell(event: AgentEvent): void {
    const before = this.#state;
    const { state, effects } = next(before, event, {
      rules: {
        failoverSpreadMs: 500,
        backoff: { baseMs: 5_000, maxMs: 60_000 },
        checkIntervalMs: this.#checkIntervalMs,
      },
      now: this.#now,
      random: () => this.#random.uniform(),
      busy: this.#random.int(5) === 0,
    });
    this.#state = state;
    const now = Math.round(this.#now);
    this.#history.push(
      () => `${now} ${JSON.stringify(event)} → ${phaseText(state)} ${effects.map(effectText).join(' ')}`,
    );
    if (this.#history.length > 12) this.#history.shift();
    this.#checkVoluntaryLoss(before, event);
    for (const effect of effects) this.#perform(effect);
    this.#checkState();
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'dial':
        check(effect.id > this.#lastId, `dial ${effect.id} is not a new number`);
        check(effect.isUrgent === (readyLink(this.#state) === undefined), 'urgent with a Ready link, or not without');
        check(this.#dials.size === 0 || effect.isUrgent, 'two dials at once beside a Ready link');
        check(this.#proceeding.size === 0, 'a dial beside one that is beyond TCP');
        check(![...this.#dials.values()].includes(effect.host), `two dials of ${effect.host}`);
        check(effect.unlike === undefined || this.#links.has(effect.unlike), 'unlike an unknown link');
        this.#lastId = effect.id;
        this.#checkWanted(effect.host);
        this.#onDial(effect.id, effect.host);
        return;
      case 'proceed': {
        const host = this.#dials.get(effect.id);
        check(host !== undefined && this.#proceeding.size === 0, `proceed with ${effect.id}`);
        this.#proceeding.add(effect.id);
        this.#onProceed(effect.id, host);
        return;
      }
      case 'give-up':
        check(this.#proceeding.has(effect.id), `give up of ${effect.id}, which is no dial beyond TCP`);
        this.#fail(effect.id, 0);
        return;
      case 'ping':
        check(this.#links.has(effect.id), `ping on ${effect.id}, which is no link`);
        return;
      case 'drop':
        this.#proceeding.delete(effect.id);
        if (this.#leaving.delete(effect.id)) this.#links.delete(effect.id);
        else check(this.#dials.delete(effect.id), `drop of ${effect.id}, which is no dial`);
        return;
      case 'retire':
        check(this.#links.has(effect.id) && !this.#leaving.has(effect.id), `retire of ${effect.id}, which is no link`);
        this.#leaving.add(effect.id);
        // Its commands take their time.
        this.#plan(this.#random.int(30_000), () => {
          this.#leaving.delete(effect.id);
          this.#links.delete(effect.id);
          return { kind: 'retired', id: effect.id };
        });
        return;
      case 'quiesce':
        check(this.#links.has(effect.id), `quiesce of ${effect.id}, which is no link`);
        this.#leaving.add(effect.id);
        return;
      case 'persist':
      case 'log':
        return;
    }
  }

  /** Only hosts that some list names, or that we are on. */
  #checkWanted(host: string): void {
    const { list, lastCompleted } = this.#state;
    const here = readyLink(this.#state)?.host;
    const isWanted = list.hosts.includes(host) || lastCompleted?.hosts.includes(host) || host === here;
    check(isWanted === true, `dials ${host}, which no list names`);
  }

  #checkVoluntaryLoss(before: AgentState, event: AgentEvent): void {
    const had = readyLink(before);
    if (had === undefined || event.kind === 'lost' || event.kind === 'shutdown') return;
    const has = readyLink(this.#state);
    check(has !== undefined, `${event.kind} lost the last Ready link`);
    check(has !== undefined && this.#links.has(has.id), `${event.kind} left it on a link that is no more`);
  }

  #checkState(): void {
    const { phase } = this.#state;
    const dials = dialsOf(this.#state).map(({ id }) => id);
    const links = [...('link' in phase ? [phase.link.id] : []), ...('old' in phase ? [phase.old.id] : [])];
    check(String([...this.#dials.keys()]) === String(dials), `dials ${[...this.#dials.keys()]}, but it knows ${dials}`);
    for (const id of links) {
      check(this.#links.has(id), `link ${id} is no more`);
      check(!this.#leaving.has(id), `link ${id} was told to go, and is back`);
    }
    const kept = [...this.#links.keys()].filter(id => !this.#leaving.has(id));
    check(kept.length === links.length, `links ${kept}, but it knows ${links}`);
    check(kept.length === 0 || this.#links.size + dials.length <= 2, 'more than two links');
    const isKnown = (id: number) => dialsOf(this.#state).some(dial => dial.id === id && dial.isConnected);
    check([...this.#proceeding].every(isKnown), 'a dial beyond TCP that it does not know');
    const due = nextDue(this.#state);
    check(due === undefined || !Number.isNaN(due), 'due at NaN');
  }

  // ---- chance

  #pick<T>(items: readonly T[]): T {
    return items[this.#random.int(items.length)] as T;
  }

  #anyId(): number {
    return this.#pick([...this.#dials.keys(), ...this.#links.keys(), this.#lastId]);
  }

  #list(): HostList {
    const hosts = NAMES.filter(() => this.#random.int(2) === 0);
    if (hosts.length === 0) hosts.push(this.#pick(NAMES));
    if (this.#random.int(2) === 0) hosts.reverse();
    return { hosts, algorithm: this.#pick(ALGORITHMS) };
  }

  #update(): HostUpdate {
    return {
      ...(this.#random.int(2) === 0 && this.#list()),
      avoid: this.#random.int(2) === 0 ? undefined : NAMES.filter(() => this.#random.int(3) === 0),
      checkIntervalSeconds: this.#pick([undefined, 0, 1, 10, 60]),
    };
  }
}

function phaseText(state: AgentState): string {
  const { phase } = state;
  const link = 'link' in phase ? ` ${phase.link.id}${phase.link.host}` : '';
  const dials = dialsOf(state).map(({ id, host }) => ` →${id}${host}`);
  return phase.kind + link + dials.join('');
}

function effectText(effect: Effect): string {
  return 'id' in effect ? `${effect.kind}${effect.id}` : effect.kind;
}

function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}
