import type { Listed } from '../../../api/types.js';
import type { Clock } from '../../../lib/clock.js';
import { filterInSteps, mapInSteps, runInTurns } from '../../../lib/interruptible.js';
import type { KnownRow } from '../../hosts/own-view.js';
import type { HostQuery } from '../../store/store.js';
import { isAway } from '../../store/store-health.js';
import { hasKeyword, pageOf } from '../answers/paging.js';
import { ApiError } from '../api-error.js';
import type { HandlerParts, OwnKnowledge } from './handler.js';

const WARNING =
  'the store is away: this is what this management server knows itself, its own links as they are, and other hosts and ' +
  'servers as it last read them';

/** A list from the store; while that is away, what this server knows itself, with a warning that says so. */
export async function whileAway<T>(
  { own }: HandlerParts,
  fromStore: () => Promise<Listed<T>>,
  fromMemory: (own: OwnKnowledge) => Promise<Listed<T>>,
): Promise<Listed<T>> {
  if (!own.isNeeded()) {
    try {
      return await fromStore();
    } catch (error) {
      if (!isAway(error)) throw error;
    }
  }
  return { ...(await fromMemory(own)), warning: WARNING };
}

/** What a list of hosts can be asked for without the store. */
export interface KnownQuery {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly keyword?: string | undefined;
  readonly status?: HostQuery['status'] | undefined;
  readonly msid?: number | undefined;
}

/** The hosts that match. */
export function matchingHosts(
  clock: Pick<Clock, 'turn'>,
  hosts: readonly KnownRow[],
  { id, name, keyword, status, msid }: KnownQuery,
): Promise<readonly KnownRow[]> {
  const matching = filterInSteps(
    hosts,
    host =>
      (id === undefined || host.uuid === id) &&
      (name === undefined || host.name === name) &&
      (status === undefined || status.includes(host.status)) &&
      (msid === undefined || host.msid === msid) &&
      hasKeyword(host.name, keyword),
  );
  return runInTurns(matching, clock);
}

/** One page of a list in memory. */
export async function listed<T, R>(
  clock: Pick<Clock, 'turn'>,
  all: readonly T[],
  page: { readonly page: number; readonly pagesize: number },
  objectOf: (one: T) => R,
): Promise<Listed<R>> {
  return { count: all.length, items: await runInTurns(mapInSteps(pageOf(all, page), objectOf), clock) };
}

/** @throws ApiError 530 when a list is asked for by what only the store knows */
export function refuseFilters(command: string, filters: Readonly<Record<string, unknown>>): void {
  const [given] = Object.entries(filters).filter(([, value]) => value !== undefined);
  if (given === undefined) return;
  const [name] = given;
  throw new ApiError(530, `the store cannot be reached now, and ${command} cannot tell ${name} without it`, 4250);
}
