import type { Fault, Place } from './schedule.js';

/** So long after its end a fault may still cost an agent its Ready link: a server asks after 30 s which of two links is alive. */
const FELT_MS = 60_000;

/** Whose Ready link may be lost, and until when. */
export type Excuse = { readonly until: number } & (
  | {
      /** Links of this machine, by its address … */
      readonly one: string;
      /** … of them only those with this one. */
      readonly other?: string;
    }
  /** Links of all machines with this guid. */
  | { readonly guid: string }
  /** Links of all machines that have a guid in common with another one. */
  | { readonly ofClones: true }
);

/** Who is who in a world. Undefined: it is not there. */
export interface Names {
  addressOf(place: Place): string | undefined;
  guidOf(agent: number): string | undefined;
}

/**
 * Pure: which Ready links a fault may cost. None for what operators do that leads agents elsewhere, such as drains, changes of
 * the configuration, rebalancing and other certificates; nor for what is slow or torn. None for a clone: the machine that is
 * there is asked, and stays. Where servers, or a server and the store, do not hear each other in time, it may not be asked.
 */
export function excusesOf(fault: Fault, now: number, { addressOf, guidOf }: Names): readonly Excuse[] {
  const until = now + FELT_MS + ('ms' in fault ? fault.ms : 0);
  switch (fault.kind) {
    case 'kill':
    case 'stop':
      // The end of a process is an excuse of its own.
      return [];
    case 'freeze': {
      const one = addressOf(fault.place);
      return one === undefined
        ? []
        : [
            { until, one },
            { until, ofClones: true },
          ];
    }
    case 'path':
    case 'reset': {
      const [one, other] = [addressOf(fault.from), addressOf(fault.to)];
      return one === undefined || other === undefined
        ? []
        : [
            { until, one, other },
            { until, ofClones: true },
          ];
    }
    case 'delay':
      return [{ until, ofClones: true }];
    case 'store': {
      const ofServers = fault.servers.flatMap(index => {
        const one = addressOf({ of: 'server', index });
        return one === undefined ? [] : [{ until, one }];
      });
      return [...ofServers, { until, ofClones: true }];
    }
    case 'leave':
    case 'revoke':
    case 'remove':
    case 'reconnect':
      return ofGuids(until, [guidOf(fault.agent)]);
    case 'mix-up':
      return ofGuids(until, [guidOf(fault.agent), guidOf(fault.other)]);
    default:
      return [];
  }
}

/** An agent that has lost its Ready link. */
export interface Losing {
  readonly address: string;
  readonly guid: string;
  readonly hasClones: boolean;
}

/** What has happened to machines and to the ways between them, as far as it may cost a Ready link. */
export class Excuses {
  #all: readonly Excuse[] = [];

  add(excuses: readonly Excuse[], now: number): void {
    this.#all = [...this.#all.filter(({ until }) => until >= now), ...excuses];
  }

  /** The process of a machine ends, or is told to. Of clones that come at once afterwards the last one stays. */
  addEnd(one: string, now: number): void {
    const until = now + FELT_MS;
    this.add(
      [
        { until, one },
        { until, ofClones: true },
      ],
      now,
    );
  }

  /** Whether the Ready link between an agent and a server may be lost now. */
  has(agent: Losing, server: string, now: number): boolean {
    return this.#all.some(excuse => {
      if (excuse.until < now) return false;
      if ('guid' in excuse) return excuse.guid === agent.guid;
      if ('ofClones' in excuse) return agent.hasClones;
      const isOf = (address: string) => address === agent.address || address === server;
      return isOf(excuse.one) && (excuse.other === undefined || isOf(excuse.other));
    });
  }
}

function ofGuids(until: number, guids: readonly (string | undefined)[]): readonly Excuse[] {
  return guids.flatMap(guid => (guid === undefined ? [] : [{ until, guid }]));
}
