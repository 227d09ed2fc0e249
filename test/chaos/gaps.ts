import type { Sample } from '../../src/fleet/measure/samples.js';

/** What happened, and when: milliseconds since the watch began. */
export type GapEvent = { readonly at: number } & (
  | { readonly kind: 'ready'; readonly agent: string; readonly host: string }
  /** `stays`: the host of the link that is Ready still. */
  | {
      readonly kind: 'lost';
      readonly agent: string;
      readonly host: string;
      readonly reason: string;
      readonly stays?: string | undefined;
    }
  /** The process of these agents is dead. */
  | { readonly kind: 'died'; readonly agents: readonly string[] }
  | FaultBegins
  | { readonly kind: 'fault-ends'; readonly fault: number }
);

interface FaultBegins {
  readonly kind: 'fault-begins';
  /** Its number. */
  readonly fault: number;
  readonly cause: string;
  /** The server that it happens to. */
  readonly host?: string | undefined;
  /** The agent that it happens to. */
  readonly agent?: string | undefined;
  /** Links of that server or agent are of no use from now on, whether the agent has seen it or not. */
  readonly silences: boolean;
}

/** A time in which an agent had no Ready link that was of use. */
export interface Gap {
  readonly agent: string;
  readonly cause: string;
  readonly from: number;
  /** Undefined: it has not ended. */
  readonly ms: number | undefined;
}

export interface CauseSummary {
  readonly cause: string;
  readonly count: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

interface AgentRecord {
  host: string | undefined;
  gap: { readonly from: number; readonly cause: string } | undefined;
}

interface KnownFault extends FaultBegins {
  readonly at: number;
  endedAt: number | undefined;
}

/** A loss is laid to a fault that has ended no longer ago than this: so long an agent waits for a server that is silent. */
const FELT_FOR_MS = 25_000;

/**
 * Accounts, event by event, for the times in which agents had no Ready link of use. A link whose server is dead, frozen or cut
 * off is of no use from that moment on, and not only once the agent has noticed.
 */
export class GapLedger {
  readonly gaps: Gap[] = [];
  readonly samples: Sample[] = [];
  readonly #agents = new Map<string, AgentRecord>();
  readonly #faults = new Map<number, KnownFault>();

  /** Events have to come in the order of time. */
  add(event: GapEvent): void {
    switch (event.kind) {
      case 'ready':
        this.#recordOf(event.agent).host = event.host;
        this.#look(event.agent, event.at, this.#causeOf(event.agent, event.host, event.at) ?? 'unknown');
        break;
      case 'lost':
        this.#recordOf(event.agent).host = event.stays;
        this.#look(event.agent, event.at, this.#causeOf(event.agent, event.host, event.at) ?? event.reason);
        break;
      case 'died':
        for (const agent of event.agents) {
          this.#recordOf(agent).host = undefined;
          this.#look(agent, event.at, this.#causeOf(agent, undefined, event.at) ?? 'died');
        }
        break;
      case 'fault-begins':
        this.#faults.set(event.fault, { ...event, endedAt: undefined });
        if (event.silences) this.#lookAtAll(event.at, event.cause);
        break;
      case 'fault-ends': {
        const fault = this.#faults.get(event.fault);
        if (fault === undefined) return;
        fault.endedAt = event.at;
        if (fault.silences) this.#lookAtAll(event.at, fault.cause);
      }
    }
    this.#sample(event.at);
  }

  /** Agents that have no Ready link of use now. */
  get without(): readonly string[] {
    return [...this.#agents].filter(([, { gap }]) => gap !== undefined).map(([agent]) => agent);
  }

  /** The host with which each agent has a Ready link; undefined: none. */
  get hosts(): ReadonlyMap<string, string | undefined> {
    return new Map([...this.#agents].map(([agent, { host }]) => [agent, host]));
  }

  /** Those that have ended, and those that have not. */
  get all(): readonly Gap[] {
    const open = [...this.#agents].flatMap(([agent, { gap }]) => (gap ? [{ agent, ...gap, ms: undefined }] : []));
    return [...this.gaps, ...open];
  }

  #recordOf(agent: string): AgentRecord {
    const known = this.#agents.get(agent) ?? { host: undefined, gap: undefined };
    this.#agents.set(agent, known);
    return known;
  }

  #lookAtAll(at: number, cause: string): void {
    for (const agent of this.#agents.keys()) this.#look(agent, at, cause);
  }

  #look(agent: string, at: number, cause: string): void {
    const record = this.#recordOf(agent);
    const isWell = record.host !== undefined && !this.#isSilenced(agent, record.host);
    if (isWell && record.gap !== undefined) {
      this.gaps.push({ agent, ...record.gap, ms: at - record.gap.from });
      record.gap = undefined;
    } else if (!isWell && record.gap === undefined) record.gap = { from: at, cause };
  }

  #isSilenced(agent: string, host: string): boolean {
    return [...this.#faults.values()].some(
      fault => fault.silences && fault.endedAt === undefined && (fault.host === host || fault.agent === agent),
    );
  }

  /** The newest fault of this host or agent, else of the whole cluster. */
  #causeOf(agent: string, host: string | undefined, now: number): string | undefined {
    const felt = [...this.#faults.values()]
      .filter(({ endedAt }) => endedAt === undefined || now - endedAt < FELT_FOR_MS)
      .sort((one, other) => other.at - one.at);
    const own = felt.find(fault => fault.agent === agent || (host !== undefined && fault.host === host));
    return (own ?? felt.find(fault => fault.agent === undefined && fault.host === undefined))?.cause;
  }

  #sample(at: number): void {
    const ready = new Map<string, number>();
    let without = 0;
    for (const { host, gap } of this.#agents.values()) {
      if (gap !== undefined || host === undefined) without++;
      else ready.set(host, (ready.get(host) ?? 0) + 1);
    }
    this.samples.push({ at, ready, without });
  }
}

/** By cause, the longest first. */
export function summaryOf(gaps: readonly Gap[]): readonly CauseSummary[] {
  const byCause = new Map<string, Gap[]>();
  for (const gap of gaps) byCause.set(gap.cause, [...(byCause.get(gap.cause) ?? []), gap]);
  return [...byCause]
    .map(([cause, ofCause]) => {
      const sorted = ofCause.map(({ ms }) => ms ?? Number.POSITIVE_INFINITY).sort((one, other) => one - other);
      const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
      return { cause, count: sorted.length, medianMs: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
    })
    .sort((one, other) => other.maxMs - one.maxMs);
}
