/**
 * Whether the server at the other end of a link still lives, judged by our pings.
 *
 *     quiet ─ping sent─▶ waiting ─3 s─▶ waiting, kernel asked ─ping.answer.timeout─▶ suspect
 *       ▲                   │ answered       │ kernel: nothing acknowledged ──────────▶  │
 *       └───────────────────┴────────────────┴───────────── answered, or heard ──────────┘
 *
 * A suspect server is not cut off: the agent opens a link to another one first, and stays if this one speaks meanwhile.
 */
export interface LivenessRules {
  /** The server's `pingInterval`. */
  readonly intervalMs: number;
  /** File: `ping.answer.timeout`. */
  readonly answerTimeoutMs: number;
  /** File: `ping.retries`: so many pings unanswered, and the link is dropped. */
  readonly retries: number;
}

export interface Liveness {
  readonly nextPingAt: number;
  readonly unanswered: number;
  /** Since when a ping waits and nothing at all was heard; undefined while the server speaks. */
  readonly silentSince: number | undefined;
  /** When the silence is looked at next, and what for. */
  readonly look: { readonly at: number; readonly kind: 'kernel' | 'suspect' } | undefined;
  readonly suspect: boolean;
}

export type LivenessEvent =
  | { readonly kind: 'tick' }
  | { readonly kind: 'ping-answered' }
  /** Any packet from the server. */
  | { readonly kind: 'heard' }
  /** The kernel has sent our bytes again and again, and nothing came back, not even an acknowledgement. */
  | { readonly kind: 'unacknowledged' };

export type LivenessEffect =
  | { readonly kind: 'ping' }
  /** Ask the kernel whether the peer's kernel acknowledges what we sent. */
  | { readonly kind: 'ask-kernel' }
  | { readonly kind: 'suspect'; readonly silentMs: number }
  | { readonly kind: 'cleared' }
  | { readonly kind: 'give-up'; readonly unanswered: number };

/**
 * A machine that is gone acknowledges nothing, a process that is stopped leaves that to its kernel. By now the kernel
 * has sent a ping at least three times, so the two can be told apart long before `ping.answer.timeout`. It matters when
 * a ping goes out just before keepalive would have noticed: unacknowledged data silences keepalive.
 */
const ASK_KERNEL_AFTER_MS = 3_000;

export function startLiveness(now: number, rules: LivenessRules): Liveness {
  return { nextPingAt: now + rules.intervalMs, unanswered: 0, silentSince: undefined, look: undefined, suspect: false };
}

/** When the next tick is due. */
export function nextLook(liveness: Liveness): number {
  return Math.min(liveness.nextPingAt, liveness.look?.at ?? Number.POSITIVE_INFINITY);
}

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

/** Said again each `ping.answer.timeout` while the silence lasts: a move that failed may be tried once more. */
function suspectNow(before: Liveness, now: number, rules: LivenessRules): ReturnType<typeof observe> {
  const silentMs = now - (before.silentSince ?? now);
  return {
    liveness: { ...before, suspect: true, look: { at: now + rules.answerTimeoutMs, kind: 'suspect' } },
    effects: [{ kind: 'suspect', silentMs }],
  };
}
