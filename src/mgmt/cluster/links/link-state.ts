/**
 * The link to one other server. There is one of each pair; either side opens it.
 *
 *     idle ─need─▶ dialling ─secured─▶ greeting ─accepted─▶ open
 *                    ▲ │ failed          │ failed, refused   │ ended
 *                due │ ▼                 ▼                   ▼
 *                  waiting ◀────────────────────────────────┘
 *
 * The peer's greeting (`offered`) leads from any state but `greeting` and `open` to `open`. When both sides greet at once, the
 * link that the server with the smaller msid has dialled stays. Once it was needed, the link is opened again until the peer
 * is `gone`.
 */
export type LinkState<L> =
  | { readonly kind: 'idle' }
  | { readonly kind: 'dialling'; readonly failures: number }
  | { readonly kind: 'greeting'; readonly failures: number; readonly link: L }
  | {
      readonly kind: 'open';
      readonly failures: number;
      readonly link: L;
      readonly runId: string;
      readonly since: number;
    }
  | { readonly kind: 'waiting'; readonly failures: number };

export type LinkEvent<L> =
  /** Something is to be sent to the peer. */
  | { readonly kind: 'need' }
  /** The wait after a failure is over. */
  | { readonly kind: 'due' }
  /** The peer that was dialled is who it should be. */
  | { readonly kind: 'secured'; readonly link: L }
  /** The dial has failed. */
  | { readonly kind: 'failed' }
  /** The peer's greeting has come over a link that it has dialled. @property runId of its process */
  | { readonly kind: 'offered'; readonly link: L; readonly runId: string }
  /** The peer has answered this server's greeting. */
  | { readonly kind: 'accepted'; readonly link: L; readonly runId: string }
  | { readonly kind: 'ended'; readonly link: L }
  /** The peer is dead, or has no row any more. */
  | { readonly kind: 'gone' };

export type LinkEffect<L> =
  | { readonly kind: 'dial' }
  | { readonly kind: 'abandon dial' }
  | { readonly kind: 'greet'; readonly link: L }
  | { readonly kind: 'welcome'; readonly link: L }
  | { readonly kind: 'refuse'; readonly link: L; readonly why: string }
  | { readonly kind: 'close'; readonly link: L; readonly why: string }
  /** The peer says that it has no link: does this one still live? */
  | { readonly kind: 'probe'; readonly link: L }
  | { readonly kind: 'wait'; readonly failures: number }
  | { readonly kind: 'opened'; readonly link: L; readonly runId: string }
  | { readonly kind: 'lost' };

export interface LinkEnv {
  readonly ownMsid: number;
  readonly peerMsid: number;
  /** Monotonic milliseconds. */
  readonly now: number;
}

interface Step<L> {
  readonly state: LinkState<L>;
  readonly effects: readonly LinkEffect<L>[];
}

/** A link that was open for so long has not failed. */
const HELD_MS = 30_000;

/** Total: an event that does not fit the state changes nothing. */
export function next<L>(state: LinkState<L>, event: LinkEvent<L>, env: LinkEnv): Step<L> {
  switch (event.kind) {
    case 'need':
      return state.kind === 'idle' ? dialling(0) : { state, effects: [] };
    case 'due':
      return state.kind === 'waiting' ? dialling(state.failures) : { state, effects: [] };
    case 'secured':
      if (state.kind !== 'dialling')
        return { state, effects: [close(event.link, 'another link of the pair is there')] };
      return {
        state: { kind: 'greeting', failures: state.failures, link: event.link },
        effects: [{ kind: 'greet', link: event.link }],
      };
    case 'failed':
      return state.kind === 'dialling' ? waiting(state.failures + 1) : { state, effects: [] };
    case 'offered':
      return offered(state, event, env);
    case 'accepted':
      if (state.kind !== 'greeting' || state.link !== event.link) return { state, effects: [] };
      return open(state.failures, event, env);
    case 'ended':
      return ended(state, event.link, env);
    case 'gone':
      return { state: { kind: 'idle' }, effects: farewell(state) };
  }
}

function offered<L>(state: LinkState<L>, event: { readonly link: L; readonly runId: string }, env: LinkEnv): Step<L> {
  const welcome = { kind: 'welcome', link: event.link } as const;
  const failures = state.kind === 'idle' ? 0 : state.failures;
  const opened = open(failures, event, env);
  switch (state.kind) {
    case 'idle':
    case 'waiting':
      return { ...opened, effects: [welcome, ...opened.effects] };
    case 'dialling':
      return { ...opened, effects: [{ kind: 'abandon dial' }, welcome, ...opened.effects] };
    case 'greeting':
      if (env.ownMsid < env.peerMsid) return { state, effects: [refuse(event.link, 'both sides have dialled')] };
      return { ...opened, effects: [close(state.link, 'both sides have dialled'), welcome, ...opened.effects] };
    case 'open':
      if (state.runId === event.runId) {
        return {
          state,
          effects: [refuse(event.link, 'there is a link already'), { kind: 'probe', link: state.link }],
        };
      }
      return {
        ...opened,
        effects: [close(state.link, 'the server was started anew'), { kind: 'lost' }, welcome, ...opened.effects],
      };
  }
}

function open<L>(
  failures: number,
  { link, runId }: { readonly link: L; readonly runId: string },
  env: LinkEnv,
): Step<L> {
  return {
    state: { kind: 'open', failures, link, runId, since: env.now },
    effects: [{ kind: 'opened', link, runId }],
  };
}

function ended<L>(state: LinkState<L>, link: L, { now }: LinkEnv): Step<L> {
  if (state.kind === 'greeting' && state.link === link) return waiting(state.failures + 1);
  if (state.kind !== 'open' || state.link !== link) return { state, effects: [] };
  const { state: next, effects } = waiting<L>(now - state.since >= HELD_MS ? 1 : state.failures + 1);
  return { state: next, effects: [{ kind: 'lost' }, ...effects] };
}

function farewell<L>(state: LinkState<L>): readonly LinkEffect<L>[] {
  switch (state.kind) {
    case 'idle':
    case 'waiting':
      return [];
    case 'dialling':
      return [{ kind: 'abandon dial' }];
    case 'greeting':
      return [close(state.link, 'the server is gone')];
    case 'open':
      return [close(state.link, 'the server is gone'), { kind: 'lost' }];
  }
}

function dialling<L>(failures: number): Step<L> {
  return { state: { kind: 'dialling', failures }, effects: [{ kind: 'dial' }] };
}

function waiting<L>(failures: number): Step<L> {
  return { state: { kind: 'waiting', failures }, effects: [{ kind: 'wait', failures }] };
}

function close<L>(link: L, why: string): LinkEffect<L> {
  return { kind: 'close', link, why };
}

function refuse<L>(link: L, why: string): LinkEffect<L> {
  return { kind: 'refuse', link, why };
}
