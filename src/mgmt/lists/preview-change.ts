import type { Clock } from '../../lib/clock.js';
import { mapInSteps, runInTurns } from '../../lib/interruptible.js';
import { readConfiguration } from '../config/parameters.js';
import type { AgentRow, Store } from '../store/store.js';
import { algorithms } from './algorithms.js';
import { proposedConfiguration } from './judge-change.js';
import { type ListChange, valuesOfChange } from './list-change.js';
import { listSettingsOf } from './list-settings.js';
import { readListedHosts } from './listed-hosts.js';
import { type ListSettings, type Preview, previewInSteps, zoneHostIdsInSteps } from './preview.js';

export interface PreviewChangeParts {
  readonly clock: Pick<Clock, 'turn'>;
  readonly store: Pick<Store, 'configuration' | 'hosts'>;
}

export interface ChangePreview extends Pick<Preview, 'moving' | 'shares'> {
  readonly proposed: ListSettings;
  /** By ascending host id. */
  readonly hosts: readonly PreviewedHost[];
}

export interface PreviewedHost {
  readonly row: AgentRow;
  /** Whether its preferred host would be another one. */
  readonly moves: boolean;
  /** Computes the list that it would get. The first entry is its preferred host. */
  list(): readonly string[];
}

/**
 * Tells what a change of the host list, the algorithm or the weights would do. Nothing is changed.
 * @throws OperationError ARGUMENT_INVALID (`host`, `algorithm`, `weights`); StoreError
 */
export async function previewChange({ clock, store }: PreviewChangeParts, change: ListChange): Promise<ChangePreview> {
  const stored = await store.configuration();
  const { configuration } = readConfiguration(stored);
  const now = listSettingsOf(configuration);
  const proposed = listSettingsOf(proposedConfiguration(stored, valuesOfChange(change)));
  const { rows, agents } = await readListedHosts(store, configuration);
  const { moving, shares, before, after } = await runInTurns(previewInSteps(agents, now, proposed), clock);
  const zones = await runInTurns(zoneHostIdsInSteps(agents), clock);
  const previewed = mapInSteps(rows, (row, index) => ({
    row,
    moves: before[index] !== after[index],
    list: () => listOf(row, after[index], zones.get(row.zoneId) ?? [], proposed),
  }));
  const hosts = await runInTurns(previewed, clock);
  return { proposed, moving, shares, hosts };
}

function listOf(
  { id: hostId }: AgentRow,
  preferred: string | undefined,
  zoneHostIds: readonly number[],
  { algorithm, servers, weights, seed }: ListSettings,
): readonly string[] {
  return algorithms[algorithm]({ servers, zoneHostIds, hostId, seed, preferred, weights });
}
