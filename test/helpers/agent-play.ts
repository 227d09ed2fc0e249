import type { AgentEvent, DialFailure, Effect, HostUpdate } from '../../src/agent/agent-events.js';
import { type AgentState, initialState, nextDue } from '../../src/agent/agent-state.js';
import { next } from '../../src/agent/agent-step.js';
import type { AgentRules } from '../../src/agent/steps/step.js';
import { type HostList, splitHostList } from '../../src/protocol/index.js';

export const PLAY_RULES: AgentRules = {
  failoverSpreadMs: 500,
  backoff: { baseMs: 5_000, maxMs: 60_000 },
  checkIntervalMs: undefined,
};

/** Gives events to the agent's pure state, with the time and the random numbers that the test sets. */
export class AgentPlay {
  state: AgentState;
  rules = PLAY_RULES;
  now = 0;
  /** What `random` returns each time. */
  random = 0.5;
  busy = false;
  /** Links that retire end at once. Where they do not, the test says when, by the event `retired`. */
  retiresAtOnce = true;
  /** Log lines since the last `logged`. */
  #logged: string[] = [];

  constructor(list: string, lastCompleted?: string) {
    this.state = initialState({
      list: hostList(list),
      lastCompleted: lastCompleted === undefined ? undefined : hostList(lastCompleted),
      credentials: 'first',
      idle: undefined,
    });
  }

  get kind(): AgentState['phase']['kind'] {
    return this.state.phase.kind;
  }

  /** Milliseconds from now; undefined when nothing waits. */
  get dueIn(): number | undefined {
    const due = nextDue(this.state);
    return due === undefined ? undefined : due - this.now;
  }

  /** One event. @returns what is to be done, in short; log lines go to `logged` */
  on(event: AgentEvent): string[] {
    const { state, effects } = next(this.state, event, {
      rules: this.rules,
      now: this.now,
      random: () => this.random,
      busy: this.busy,
    });
    const hasRetired = this.retiresAtOnce && effects.some(({ kind }) => kind === 'retire');
    this.state = hasRetired ? { ...state, retiring: undefined } : state;
    for (const effect of effects) if (effect.kind === 'log') this.#logged.push(`${effect.level} ${effect.message}`);
    return effects.filter(effect => effect.kind !== 'log').map(inShort);
  }

  tick(afterMs = 0): string[] {
    this.now += afterMs;
    return this.on({ kind: 'tick' });
  }

  /** Waits for what is due. */
  tickWhenDue(): string[] {
    return this.tick(this.dueIn ?? 0);
  }

  ready(id: number, update: HostUpdate = {}): string[] {
    return this.on({ kind: 'ready', id, update });
  }

  connected(id: number): string[] {
    return this.on({ kind: 'connected', id });
  }

  startupAnswered(id: number): string[] {
    return this.on({ kind: 'startup-answered', id });
  }

  failed(id: number, why = 'it hangs', how: DialFailure = 'other'): string[] {
    return this.on({ kind: 'dial-failed', id, why, how });
  }

  lost(id: number): string[] {
    return this.on({ kind: 'lost', id, why: 'gone', how: 'closed' });
  }

  update(id: number, update: HostUpdate, checkNow = false): string[] {
    return this.on({ kind: 'update', id, update, checkNow });
  }

  migrate(id: number, update: HostUpdate = {}): string[] {
    return this.on({ kind: 'migrate', id, update });
  }

  suspect(id: number): string[] {
    return this.on({ kind: 'suspect', id, silentMs: 15_000 });
  }

  sameServer(id: number): string[] {
    return this.on({ kind: 'same-server', id });
  }

  /** Log lines since the last call. */
  logged(): string[] {
    const lines = this.#logged;
    this.#logged = [];
    return lines;
  }
}

/** An agent that has been on the first host of its list for so long, with dial 1. */
export function upFor(list: string, ms: number, update: HostUpdate = {}, lastCompleted = list): AgentPlay {
  const play = new AgentPlay(list, lastCompleted);
  play.tick();
  play.ready(1, update);
  play.logged();
  play.now += ms;
  return play;
}

export function hostList(text: string): HostList {
  const { hosts, algorithm } = splitHostList(text);
  return { hosts: hosts.split(','), algorithm };
}

/** As a server says it. */
export function listed(text: string, more: HostUpdate = {}): HostUpdate {
  return { ...hostList(text), ...more };
}

function inShort(effect: Effect): string {
  switch (effect.kind) {
    case 'dial': {
      const unlike = effect.unlike === undefined ? '' : ` unlike ${effect.unlike}`;
      return `dial ${effect.id} ${effect.host}${unlike}${effect.transferred ? ' transferred' : ''}`;
    }
    case 'drop':
    case 'give-up':
    case 'ping':
    case 'proceed':
    case 'retire':
    case 'quiesce':
      return `${effect.kind} ${effect.id}`;
    case 'persist':
      return `persist ${Object.entries(effect.changes)
        .map(pair => pair.join('='))
        .join(' ')}`;
    case 'log':
      return `${effect.level} ${effect.message}`;
  }
}
