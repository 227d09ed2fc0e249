import type { Resource } from '../../agent/index.js';
import type { Clock } from '../../lib/clock.js';
import { answerOf } from './answers.js';
import { type KvmHost, startupOf } from './host.js';
import { initialKvmState } from './kvm-state.js';

export interface KvmResourceParts {
  readonly host: KvmHost;
  /** That run at its start. */
  readonly vms: number;
  readonly clock: Clock;
}

/** A KVM host that is none: it answers what CloudStack's servers ask on connect, in pings and for statistics. */
export function kvmResource({ host, vms, clock }: KvmResourceParts): Resource {
  let state = initialKvmState(host.number, vms, clock.now());
  return {
    name: 'LibvirtComputingResource',
    startup: () => startupOf(host),
    answer(command) {
      const answered = answerOf(command, host, state, clock.now());
      state = answered?.state ?? state;
      return answered?.answer;
    },
    ping() {
      const report = [...state.vms.keys()].map(name => [name, { state: 'PowerOn', host: host.name }]);
      return { _hostVmStateReport: Object.fromEntries(report) };
    },
  };
}
