import { FAULT_KINDS, type FaultKind, type Planned } from './schedule.js';
import type { SimulationOptions } from './simulation.js';

/** What all worlds of a run have in common. What is not given follows from the seed. */
export interface WorldRules {
  readonly servers?: number | undefined;
  readonly agents?: number | undefined;
  readonly kinds?: readonly FaultKind[] | undefined;
}

/** The world of a seed. Pure. */
export function worldOf(
  seed: number,
  { servers, agents, kinds }: WorldRules,
  faults?: readonly Planned[],
): SimulationOptions {
  return {
    seed,
    servers: servers ?? 2 + (seed % 3),
    agents: agents ?? 1 + (seed % 4),
    kinds: kinds ?? FAULT_KINDS,
    ...(faults && { faults }),
  };
}

/** What an operator types to have the world of a seed once more. Pure. */
export function commandOf(seed: number, { servers, agents, kinds }: WorldRules): string {
  const options = [
    `--seed ${seed}`,
    servers === undefined ? [] : `--servers ${servers}`,
    agents === undefined ? [] : `--agents ${agents}`,
    kinds === undefined ? [] : `--faults ${kinds.join()}`,
  ];
  return `npm run simulate -- ${options.flat().join(' ')}`;
}
