import type { Configuration } from '../config/parameters.js';
import { pagesOf } from '../store/pages.js';
import type { AgentRow, Store } from '../store/store.js';
import { listedAgent } from './list-settings.js';
import type { ListedAgent } from './preview.js';

export interface ListedHosts {
  /** All hosts that are not removed, by ascending id. */
  readonly rows: readonly AgentRow[];
  /** What their lists follow from, in the same order. */
  readonly agents: readonly ListedAgent[];
}

/** Reads all hosts, with turns of the event loop in between. @throws StoreError */
export async function readListedHosts(store: Pick<Store, 'hosts'>, configuration: Configuration): Promise<ListedHosts> {
  const rows: AgentRow[] = [];
  const agents: ListedAgent[] = [];
  for await (const page of pagesOf(after => store.hosts(after))) {
    for (const row of page) {
      rows.push(row);
      agents.push(listedAgent(row, configuration));
    }
  }
  return { rows, agents };
}
