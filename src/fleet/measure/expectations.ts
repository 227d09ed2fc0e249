import {
  agentsText,
  countOf,
  DURATION_FORM,
  durationMs,
  RATE_FORM,
  ratePerSecond,
  SHARE_FORM,
  type Share,
  share,
} from '../load/quantity.js';
import type { Percentiles } from './histogram.js';
import type { Measured } from './ledger.js';

/** What is known at the end of a run. */
export interface Findings extends Measured {
  readonly agents: number;
  /** Agents that are Ready at the end. */
  readonly ready: number;
  /** Commands of classes that the agents do not know. */
  readonly unknownCommands: number;
}

/** One expectation, as it stands in the settings. */
export interface Expectation {
  readonly key: ExpectationKey;
  readonly text: string;
}

/** What became of it. */
export interface Verdict extends Expectation {
  readonly isMet: boolean;
  /** What was found, in words. */
  readonly found: string;
}

interface Found {
  readonly isMet: boolean;
  readonly found: string;
}

interface Kind {
  /** For `--help`. */
  readonly meaning: string;
  /** What a value may be, in words. */
  readonly form: string;
  isValue(text: string): boolean;
  /** Why a value cannot be met with so many agents; undefined: it can. */
  objection?(text: string, agents: number): string | undefined;
  judge(findings: Findings, text: string): Found;
}

function atMost(
  meaning: string,
  found: (findings: Findings) => Percentiles | undefined,
  which: 'p50Ms' | 'p99Ms' | 'maxMs',
): Kind {
  return {
    meaning,
    form: DURATION_FORM,
    isValue: text => durationMs(text) !== undefined,
    judge(findings, text) {
      const percentiles = found(findings);
      // Of no gap, none was too long; where nobody was Ready, there was nothing to have one.
      if (percentiles === undefined) {
        return findings.connects === 0
          ? { isMet: false, found: 'no agent was ever Ready' }
          : { isMet: true, found: 'none' };
      }
      return { isMet: percentiles[which] <= (durationMs(text) ?? 0), found: timeText(percentiles[which]) };
    },
  };
}

const toReady = ({ toReady }: Findings) => toReady;
const gap = ({ gap }: Findings) => gap;
const WHOLE = { form: 'a whole number', isValue: (text: string) => /^\d{1,9}$/.test(text) } as const;

const KINDS = {
  'expect.ready': {
    meaning: 'so many agents are Ready at the end, at least: a number, or a part such as 100%',
    form: SHARE_FORM,
    isValue: text => share(text) !== undefined,
    objection(text, agents) {
      const least = share(text);
      return least !== undefined && 'count' in least && least.count > agents ? agentsText(agents) : undefined;
    },
    judge({ ready, agents }, text) {
      const least = countOf(share(text) as Share, agents);
      return { isMet: ready >= least, found: `${ready} of ${agents}` };
    },
  },
  'expect.ready.p50': atMost(
    'half of the agents are Ready within this time of their start, such as 10s',
    toReady,
    'p50Ms',
  ),
  'expect.ready.p99': atMost('99 % of them are, such as 60s', toReady, 'p99Ms'),
  'expect.ready.max': atMost('all of them are', toReady, 'maxMs'),
  'expect.gap.p50': atMost(
    'half of the gaps without a Ready link are no longer than this, such as 500ms',
    gap,
    'p50Ms',
  ),
  'expect.gap.p99': atMost('99 % of them are, such as 1s', gap, 'p99Ms'),
  'expect.gap.max': atMost('all of them are', gap, 'maxMs'),
  'expect.rate': {
    meaning: 'links that become Ready, at least, on the average until as many have as there are agents, such as 200/s',
    form: RATE_FORM,
    isValue: text => ratePerSecond(text) !== undefined,
    judge({ agents, connects, connectsPerSecond }, text) {
      const found = `${connectsPerSecond.toFixed(1)}/s`;
      // The average has its end when as many links have become Ready as there are agents.
      if (connects < agents) return { isMet: false, found: `${found}, and ${connects} of ${agents} became Ready` };
      return { isMet: connectsPerSecond >= (ratePerSecond(text) ?? 0), found };
    },
  },
  'expect.lost': {
    ...WHOLE,
    meaning: 'Ready links that are lost, at most',
    judge: ({ linksLost }, text) => ({ isMet: linksLost <= Number(text), found: String(linksLost) }),
  },
  'expect.unknown': {
    ...WHOLE,
    meaning: 'commands of classes that the agents do not know, at most',
    judge: ({ unknownCommands }, text) => ({ isMet: unknownCommands <= Number(text), found: String(unknownCommands) }),
  },
} satisfies Readonly<Record<string, Kind>>;

export type ExpectationKey = keyof typeof KINDS;
export const EXPECTATION_KEYS = Object.keys(KINDS) as readonly ExpectationKey[];

/** Each key with its meaning, for `--help`. */
export const EXPECTATION_HELP: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(KINDS).map(([key, { meaning }]) => [key, meaning]),
);

/** Why a value cannot be used; undefined when it can. */
export function objectionToExpectation({ key, text }: Expectation, agents: number): string | undefined {
  const kind: Kind = KINDS[key];
  return kind.isValue(text) ? kind.objection?.(text, agents) : `${kind.form} is allowed`;
}

/** What became of the expectations, in their order. */
export function judged(expectations: readonly Expectation[], findings: Findings): readonly Verdict[] {
  return expectations.map(({ key, text }) => ({ key, text, ...KINDS[key].judge(findings, text) }));
}

export function timeText(ms: number): string {
  if (!Number.isFinite(ms)) return 'never';
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}
