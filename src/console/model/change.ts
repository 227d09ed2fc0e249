import type { Fleet } from './tracks.js';

/** What of the configuration the page of changes has, in its order. */
export const CHANGEABLE = [
  'host',
  'indirect.agent.lb.algorithm',
  'indirect.agent.lb.weights',
  'indirect.agent.lb.check.interval',
  'ping.interval',
  'ping.timeout',
  'agent.migrate.rate',
] as const;

/** By name of the configuration: the value that somebody has typed. */
export type Draft = ReadonlyMap<string, string>;

/** A value that is to be made, and the one that holds. */
export interface Change {
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

/** Names whose change moves agents. */
const MOVES_AGENTS: ReadonlySet<string> = new Set(CHANGEABLE.slice(0, 3));

/** What of a draft is different from what holds, in the order in which it is made. */
export function changesOf(draft: Draft, values: ReadonlyMap<string, string>): readonly Change[] {
  return CHANGEABLE.flatMap(name => {
    const from = values.get(name) ?? '';
    const to = draft.get(name)?.trim() ?? from;
    return to === from ? [] : [{ name, from, to }];
  });
}

/** What previewHostList is asked; undefined: no list would be another one. */
export function previewOf(
  changes: readonly Change[],
): { readonly host?: string; readonly algorithm?: string; readonly weights?: string } | undefined {
  const of = (name: (typeof CHANGEABLE)[number]) => changes.find(change => change.name === name)?.to;
  if (!changes.some(({ name }) => MOVES_AGENTS.has(name))) return undefined;
  const [host, algorithm, weights] = [of('host'), of('indirect.agent.lb.algorithm'), of('indirect.agent.lb.weights')];
  return {
    ...(host !== undefined && { host }),
    ...(algorithm !== undefined && { algorithm }),
    ...(weights !== undefined && { weights }),
  };
}

/** What undoes changes: the former values, the last one first. */
export function undoOf(changes: readonly Change[]): readonly Change[] {
  return changes.toReversed().map(({ name, from, to }) => ({ name, from: to, to: from }));
}

export interface Passage {
  readonly from: string;
  readonly to: string;
  readonly agents: number;
}

/** How many agents would go from which preferred server to which; the most first. */
export function passagesOf(
  { tracks, servers }: Fleet,
  agents: readonly {
    readonly hostid: string;
    readonly preferredhost?: string | null | undefined;
    readonly moves: boolean;
  }[],
): readonly Passage[] {
  const preferred = new Map(tracks.map(({ id, preferred: number }) => [id, servers[number - 1]?.address ?? '']));
  const counts = new Map<string, { from: string; to: string; agents: number }>();
  for (const { hostid, preferredhost, moves } of agents) {
    if (!moves) continue;
    const [from, to] = [preferred.get(hostid) ?? '', preferredhost ?? ''];
    const passage = counts.get(`${from} ${to}`) ?? { from, to, agents: 0 };
    counts.set(`${from} ${to}`, passage);
    passage.agents++;
  }
  return [...counts.values()].sort((one, other) => other.agents - one.agents);
}
