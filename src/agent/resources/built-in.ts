import type { Clock } from '../../lib/clock.js';
import { GetHostStatsCommand } from '../../protocol/index.js';
import { defineResource } from './define-resource.js';
import type { HostStatsSources } from './host-stats.js';
import { hostStatsCommand } from './host-stats-command.js';
import { describeMachine } from './machine.js';
import type { MachineDescription, Resource } from './resource.js';
import { withName } from './startup-commands.js';

/** Where the built-in resource has its figures from. */
export interface BuiltInOptions {
  /** Between two looks at the counters of the machine. @default systemClock */
  readonly clock?: Clock;
  /** @default those of this machine */
  readonly sources?: HostStatsSources;
}

/**
 * A resource that describes this machine, and answers GetHostStatsCommand with how much of it is in use.
 * @example
 * const machine = builtInResource('LibvirtComputingResource');
 * const resource = { ...machine, startup: () => ({ ...machine.startup(), name: 'host-1' }) };
 */
export function builtInResource(
  name: string,
  { clock, sources }: BuiltInOptions = {},
): Resource & { startup(): MachineDescription } {
  const resource = defineResource({ name, commands: { [GetHostStatsCommand.type]: hostStatsCommand(clock, sources) } });
  return { ...resource, startup: describeMachine };
}

/**
 * The same resource, on a machine of another name: each of several agents on one machine has one of its own.
 * @example
 * const resource = withMachineName(builtInResource('LibvirtComputingResource'), 'host-1');
 */
export function withMachineName(resource: Resource, name: string): Resource {
  return { ...resource, startup: async () => withName(await resource.startup(), name) };
}
