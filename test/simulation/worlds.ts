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
