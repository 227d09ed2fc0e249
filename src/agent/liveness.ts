/**
 * Whether the server of a link is alive, decided by pings and their answers.
 *
 *     quiet ─ping sent─▶ waiting ─3 s─▶ waiting, kernel asked ─ping.answer.timeout─▶ suspect
 *       ▲                   │ answered       │ kernel: nothing acknowledged ──────────▶  │
 *       └───────────────────┴────────────────┴───────────── answered, or heard ──────────┘
 *
 * The link to a suspect server stays open while the agent opens one to another server. If the suspect server sends
 * something before that link is Ready, the agent stays.
 */
export interface LivenessRules {
  /** Between pings: the server's `pingInterval`. */
  readonly intervalMs: number;
  /** A server that has not answered a ping for this long is suspect. File: `ping.answer.timeout` (seconds). */
  readonly answerTimeoutMs: number;
  /** The link is dropped when this many pings are unanswered. File: `ping.retries`. */
  readonly retries: number;
}

/** The state. Times are milliseconds of the monotonic clock. */
export interface Liveness {
  readonly nextPingAt: number;
  /** Pings without an answer since the last answer. */
  readonly unanswered: number;
  /** When the first ping was sent after which nothing has come; undefined while the server sends something. */
  readonly silentSince: number | undefined;
  /** When the silence is checked next: by asking the kernel, or by making the server suspect. */
  readonly look: { readonly at: number; readonly kind: 'kernel' | 'suspect' } | undefined;
  readonly suspect: boolean;
}

export type LivenessEvent =
  /** The time of `nextLook` has come. */
  | { readonly kind: 'tick' }
  | { readonly kind: 'ping-answered' }
  /** A ping is wanted before the next one is due. */
  | { readonly kind: 'ping-wanted' }
  /** Any other packet has come from the server. */
  | { readonly kind: 'heard' }
  /** The kernel has repeated our bytes and got no acknowledgement. */
  | { readonly kind: 'unacknowledged' };

export type LivenessEffect =
  /** Send a ping. */
  | { readonly kind: 'ping' }
  /** Ask the kernel whether the peer's kernel acknowledges our bytes. */
  | { readonly kind: 'ask-kernel' }
  /** The server has been silent for `silentMs`. */
  | { readonly kind: 'suspect'; readonly silentMs: number }
  /** A suspect server has sent something. */
  | { readonly kind: 'cleared' }
  /** Drop the link. */
  | { readonly kind: 'give-up'; readonly unanswered: number };

/**
 * After this long the kernel has sent a ping at least three times. A machine that is gone has acknowledged none of
 * them; for a stopped process, its kernel has. So the two can be distinguished long before `ping.answer.timeout`.
 * Keepalive does not do it: the kernel sends no keepalive probes while data is unacknowledged.
 */
const ASK_KERNEL_AFTER_MS = 3_000;

/** The state after StartupAnswer: the first ping is due after one interval. */
export function startLiveness(now: number, rules: LivenessRules): Liveness {
  return { nextPingAt: now + rules.intervalMs, unanswered: 0, silentSince: undefined, look: undefined, suspect: false };
}

/** When the next tick is due. */
export function nextLook(liveness: Liveness): number {
  return Math.min(liveness.nextPingAt, liveness.look?.at ?? Number.POSITIVE_INFINITY);
}

/** Decides what an event means for the server's liveness. */
export function observe(
  before: Liveness,
  event: LivenessEvent,
  now: number,
  rules: LivenessRules,
): { liveness: Liveness; effects: readonly LivenessEffect[] } {
  switch (event.kind) {
    case 'ping-answered':
    case 'heard': {
      const unanswered = event.kind === 'ping-answered' ? 0 : before.unanswered;
      const liveness = { ...before, unanswered, silentSince: undefined, look: undefined, suspect: false };
      return { liveness, effects: before.suspect ? [{ kind: 'cleared' }] : [] };
    }
    case 'unacknowledged':
      return before.silentSince === undefined ? { liveness: before, effects: [] } : suspectNow(before, now, rules);
    case 'ping-wanted':
      return ping(before, now, rules);
    case 'tick':
      return onTick(before, now, rules);
  }
}

function onTick(before: Liveness, now: number, rules: LivenessRules): ReturnType<typeof observe> {
  if (before.look !== undefined && now >= before.look.at) {
    if (before.look.kind === 'suspect') return suspectNow(before, now, rules);
    const at = (before.silentSince ?? now) + rules.answerTimeoutMs;
    return { liveness: { ...before, look: { at, kind: 'suspect' } }, effects: [{ kind: 'ask-kernel' }] };
  }
  if (now < before.nextPingAt) return { liveness: before, effects: [] };
  if (before.unanswered >= rules.retries) {
    return { liveness: before, effects: [{ kind: 'give-up', unanswered: before.unanswered }] };
  }
  return ping(before, now, rules);
}

function ping(before: Liveness, now: number, rules: LivenessRules): ReturnType<typeof observe> {
  const look = before.look ?? {
    at: now + Math.min(ASK_KERNEL_AFTER_MS, rules.answerTimeoutMs),
    kind: 'kernel' as const,
  };
  const liveness = {
    ...before,
    nextPingAt: now + rules.intervalMs,
    unanswered: before.unanswered + 1,
    silentSince: before.silentSince ?? now,
    look,
  };
  return { liveness, effects: [{ kind: 'ping' }] };
}

/** Repeated each `ping.answer.timeout` while the silence lasts, so that a failed move is tried again. */
function suspectNow(before: Liveness, now: number, rules: LivenessRules): ReturnType<typeof observe> {
  const silentMs = now - (before.silentSince ?? now);
  return {
    liveness: { ...before, suspect: true, look: { at: now + rules.answerTimeoutMs, kind: 'suspect' } },
    effects: [{ kind: 'suspect', silentMs }],
  };
}
