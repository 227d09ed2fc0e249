import { LIST_ARGUMENTS, LIST_PARAMETERS, type ListArgument } from '../../api/words.js';
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

/** What previewHostList and startCanary are asked. */
export type ListChange = { readonly [argument in ListArgument]?: string };

/** What of a draft is different from what holds, in the order in which it is made. */
export function changesOf(draft: Draft, values: ReadonlyMap<string, string>): readonly Change[] {
  return CHANGEABLE.flatMap(name => {
    const from = values.get(name) ?? '';
    const to = draft.get(name)?.trim() ?? from;
    return to === from ? [] : [{ name, from, to }];
  });
}

/** What previewHostList is asked; undefined: no list would be another one. */
export function previewOf(changes: readonly Change[]): ListChange | undefined {
  const given = LIST_ARGUMENTS.flatMap(argument => {
    const change = changes.find(({ name }) => name === LIST_PARAMETERS[argument]);
    return change === undefined ? [] : [[argument, change.to] as const];
  });
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

/** What a canary changes, against what holds. */
export function changesOfCanary(canary: CanaryChange, values: ReadonlyMap<string, string>): readonly Change[] {
  return LIST_ARGUMENTS.flatMap(argument => {
    const to = canary[argument];
    const name = LIST_PARAMETERS[argument];
    return to === undefined || to === null ? [] : [{ name, from: values.get(name) ?? '', to }];
  });
}

type CanaryChange = Readonly<Partial<Record<keyof ListChange, string | null | undefined>>>;

/** What is left of a draft when its lists are tried by a canary. */
export function draftBeside(draft: Draft, asked: ListChange): Draft {
  const tried = new Set<string>(
    LIST_ARGUMENTS.filter(name => asked[name] !== undefined).map(name => LIST_PARAMETERS[name]),
  );
  return new Map([...draft].filter(([name]) => !tried.has(name)));
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
