/**
 * Whether a Ready agent is alive, decided by its pings.
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
  /** The agent has pinged. */
  | { readonly kind: 'ping' }
  /** Once in each ping interval the server looks for agents that have not pinged for `deadlineMs`. */
  | { readonly kind: 'look'; readonly deadlineMs: number }
  /** CheckHealth was answered result=true. */
  | { readonly kind: 'healthy' }
  /** CheckHealth was answered result=false, or not at all. */
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
      // A CloudStack agent that was stopped and continued (SIGSTOP) never pings again, but it works: it stays as long as it
      // answers CheckHealth.
      return { state: state.kind === 'checking' ? { kind: 'alive', heardAt: now } : state };
    case 'unhealthy':
      // A ping that came meanwhile shows that it is alive.
      if (state.kind !== 'checking') return { state };
      return { state: { kind: 'lost', reason: event.reason }, effect: 'disconnect' };
  }
}
