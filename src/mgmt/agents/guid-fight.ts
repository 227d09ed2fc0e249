/** What tells one agent process from another that has the same guid. */
export interface Claimant {
  readonly address: string;
  /** Muster's agents send one per process; others none. */
  readonly instanceId: string | undefined;
}

/**
 * Who has a guid, and how often it changed hands lately. Two agents with one guid would throw each other out for ever.
 *
 *     calm ─another one takes it, too often─▶ fought over ─time─▶ calm
 */
export interface GuidState {
  readonly holder: Claimant;
  /** When the holder changed, oldest first; only moments that still count. */
  readonly changes: readonly number[];
  /** While it lies ahead, nobody but the holder gets the guid. */
  readonly closedUntil: number;
}

export interface GuidRules {
  readonly changes: number;
  readonly withinMs: number;
}

export type GuidVerdict =
  | { readonly kind: 'welcome' }
  /** `isFirst`: the fight has just been noticed; say so to the operator, once. */
  | { readonly kind: 'refused'; readonly holder: Claimant; readonly waitMs: number; readonly isFirst: boolean };

/** Decides about a Startup; `now` in monotonic milliseconds. */
export function claimGuid(
  state: GuidState | undefined,
  claimant: Claimant,
  now: number,
  rules: GuidRules,
): { state: GuidState; verdict: GuidVerdict } {
  const welcome = { kind: 'welcome' } as const;
  if (state === undefined) return { state: { holder: claimant, changes: [], closedUntil: 0 }, verdict: welcome };
  if (isSame(state.holder, claimant)) return { state, verdict: welcome };
  if (now < state.closedUntil) {
    const waitMs = state.closedUntil - now;
    return { state, verdict: { kind: 'refused', holder: state.holder, waitMs, isFirst: false } };
  }
  const changes = [...state.changes.filter(at => now - at < rules.withinMs), now];
  if (changes.length <= rules.changes)
    return { state: { holder: claimant, changes, closedUntil: 0 }, verdict: welcome };
  const closed = { holder: state.holder, changes: [], closedUntil: now + rules.withinMs };
  return {
    state: closed,
    verdict: { kind: 'refused', holder: state.holder, waitMs: rules.withinMs, isFirst: true },
  };
}

/** Whether nothing of the state matters any more once its holder is gone. */
export function isStale(state: GuidState, now: number, { withinMs }: GuidRules): boolean {
  return now >= state.closedUntil && state.changes.every(at => now - at >= withinMs);
}

export function isSame(one: Claimant, other: Claimant): boolean {
  return one.address === other.address && one.instanceId === other.instanceId;
}
