import { amountThat } from '../../lib/text/amount.js';
import { parseReportedList } from '../../protocol/host-list.js';
import { isSameList } from '../../protocol/index.js';
import type { AgentList } from '../lists/agent-list.js';
import type { ListChange } from '../lists/list-change.js';
import type { AgentRow, CommandReason, CommandSummary } from '../store/store.js';

/** How far a canary is. */
export interface CanaryProgress extends CanaryCounts {
  readonly id: number;
  readonly change: ListChange;
  /** By the store's clock. */
  readonly created: number;
  readonly createdBy: string;
  /** Undefined: nobody was asked yet, or the job is gone. */
  readonly dials: CanaryDials | undefined;
  /** Why it is not to hold for all yet; undefined: nothing speaks against it. */
  readonly objection: string | undefined;
}

/** How many of its hosts: removed ones are left out. */
export interface CanaryCounts {
  readonly hosts: number;
  /** Up. */
  readonly connected: number;
  /** Have the list that they are to have. */
  readonly listed: number;
  /** Are on the first server of it. */
  readonly arrived: number;
}

/** What became of the hosts' dials of the servers that they would be told. */
export interface CanaryDials {
  /** The job that asks them. */
  readonly job: string;
  readonly underWay: number;
  /** Reached every one of them. */
  readonly reached: number;
  readonly failed: number;
  /** Their agents cannot be asked, such as CloudStack's. */
  readonly unable: number;
  /** Were not connected, or their commands were cancelled. */
  readonly unasked: number;
  /** Of all that have not reached them, the most frequent first. */
  readonly causes: readonly CommandReason[];
}

export interface CanaryHost {
  readonly isConnected: boolean;
  readonly isListed: boolean;
  readonly hasArrived: boolean;
}

/**
 * Pure: how far one host of a canary is.
 * @param list what its agent is to have, as far as this server knows
 * @param address of the server that the row names
 */
export function canaryHost(
  { msHostList, status }: Pick<AgentRow, 'msHostList' | 'status'>,
  list: AgentList,
  canaryId: number,
  address: string | undefined,
): CanaryHost {
  const reported = parseReportedList(msHostList ?? undefined);
  const isConnected = status === 'Up';
  const isListed = list.canary === canaryId && isSameList(reported, list);
  return { isConnected, isListed, hasArrived: isConnected && isListed && address === reported.hosts[0] };
}

/** Pure. */
export function canaryCounts(hosts: readonly CanaryHost[]): CanaryCounts {
  return {
    hosts: hosts.length,
    connected: hosts.filter(({ isConnected }) => isConnected).length,
    listed: hosts.filter(({ isListed }) => isListed).length,
    arrived: hosts.filter(({ hasArrived }) => hasArrived).length,
  };
}

/** Pure. */
export function canaryDials(job: string, summary: CommandSummary, causes: readonly CommandReason[]): CanaryDials {
  const { waiting, taken, answered, failed, unsupported, refused, cancelled, unknown } = summary;
  return {
    job,
    underWay: waiting + taken,
    reached: answered - failed,
    failed: failed + unknown,
    unable: unsupported,
    unasked: refused + cancelled,
    causes,
  };
}

const HAVE = ['has', 'have'] as const;

/** Pure: why a canary is not to hold for all yet. */
export function objectionTo(
  { arrived }: Pick<CanaryCounts, 'arrived'>,
  dials: CanaryDials | undefined,
): string | undefined {
  if (dials === undefined) return 'its hosts were not asked to dial: verifyCanary asks them';
  const { underWay, failed, reached } = dials;
  if (failed > 0) return `${amountThat(failed, 'host', HAVE)} failed to reach the servers that they would be told`;
  if (underWay > 0) return `${amountThat(underWay, 'host', HAVE)} not ended dialling`;
  if (reached + arrived === 0) return 'none of its hosts has dialled or come to its preferred server';
  return undefined;
}
