import type { Clock } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import { mapInSteps, runInTurns } from '../../lib/interruptible.js';
import { invalidArgument } from '../../lib/operation-error.js';
import { PARAMETERS, readConfiguration } from '../config/parameters.js';
import { type Kind, ValueError } from '../config/value-kinds.js';
import type { AgentRow, Store } from '../store/store.js';
import { algorithms } from './algorithms.js';
import { listSettingsOf } from './list-settings.js';
import { readListedHosts } from './listed-hosts.js';
import { type ListSettings, type Preview, previewInSteps, zoneHostIdsInSteps } from './preview.js';

export interface PreviewChangeParts {
  readonly clock: Pick<Clock, 'turn'>;
  readonly store: Pick<Store, 'configuration' | 'hosts'>;
}

/** Texts as `updateConfiguration` takes them. What is left out stays as it is. */
export interface ProposedChange {
  readonly host?: string | undefined;
  readonly algorithm?: string | undefined;
  readonly weights?: string | undefined;
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
export async function previewChange(
  { clock, store }: PreviewChangeParts,
  { host, algorithm, weights }: ProposedChange,
): Promise<ChangePreview> {
  const { configuration } = readConfiguration(await store.configuration());
  const now = listSettingsOf(configuration);
  const proposed: ListSettings = {
    ...now,
    servers: host === undefined ? now.servers : parsed('host', host, PARAMETERS.host.kind),
    algorithm:
      algorithm === undefined
        ? now.algorithm
        : parsed('algorithm', algorithm, PARAMETERS['indirect.agent.lb.algorithm'].kind),
    weights:
      weights === undefined ? now.weights : parsed('weights', weights, PARAMETERS['indirect.agent.lb.weights'].kind),
    seed: String(configuration.version + 1),
  };
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

/** @throws OperationError ARGUMENT_INVALID */
function parsed<T>(argument: string, text: string, kind: Kind<T>): T {
  try {
    return kind.parse(text);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw invalidArgument(argument, text, reasonOf(error));
  }
}
