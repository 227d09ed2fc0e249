/**
 * How a Ready agent is doing, seen from its pings.
 *
 *     alive ─behind at a look─▶ checking ─good answer─▶ alive
 *       ▲                         │ │
 *       └─────────ping────────────┘ └─bad answer, or none─▶ lost
 */
export type AttacheState =
  | { readonly kind: 'alive'; readonly heardAt: number }
  | { readonly kind: 'checking'; readonly heardAt: number }
  | { readonly kind: 'lost'; readonly reason: string };

export type AttacheEvent =
  /** The agent pinged. */
  | { readonly kind: 'ping' }
  /** Once every ping interval the server looks for agents that are behind by `deadlineMs`. */
  | { readonly kind: 'look'; readonly deadlineMs: number }
  /** CheckHealth was answered well. */
  | { readonly kind: 'healthy' }
  /** CheckHealth was answered badly, or not at all. */
  | { readonly kind: 'unhealthy'; readonly reason: string };

export type AttacheEffect = 'check health' | 'disconnect';

/** Total: an event that does not fit the state changes nothing. `now` in monotonic milliseconds. */
export function next(
  state: AttacheState,
  event: AttacheEvent,
  now: number,
): { state: AttacheState; effect?: AttacheEffect } {
  if (state.kind === 'lost') return { state };
  switch (event.kind) {
    case 'ping':
      return { state: { kind: 'alive', heardAt: now } };
    case 'look':
      if (state.kind === 'checking' || now - state.heardAt < event.deadlineMs) return { state };
      return { state: { kind: 'checking', heardAt: state.heardAt }, effect: 'check health' };
    case 'healthy':
      // A real agent that was frozen never pings again, yet does its work: asked now and then, it may stay.
      return { state: state.kind === 'checking' ? { kind: 'alive', heardAt: now } : state };
    case 'unhealthy':
      // A ping that came while we asked speaks for it.
      if (state.kind !== 'checking') return { state };
      return { state: { kind: 'lost', reason: event.reason }, effect: 'disconnect' };
  }
}
