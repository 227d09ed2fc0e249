import type { ServerState } from '../store/store.js';

/**
 * The states of a management server, as its row in `mshost` has them.
 *
 *     Up ─prepareForMaintenance─▶ PreparingForMaintenance ─drained, or time is out─▶ Maintenance
 *      ▲◀──────cancelMaintenance────────┴─────────────────────────────────────────────┘
 *     Up ─prepareForShutdown─▶ PreparingForShutDown ─drained, or time is out─▶ ReadyToShutDown
 *      ▲◀──────cancelShutdown────────┴────────────────────────────────────────────┘
 *     Up, Maintenance, PreparingForShutDown, ReadyToShutDown ─triggerShutdown─▶ ShuttingDown
 *
 *     any other ─stopped, or silent for cluster.heartbeat.threshold─▶ Down ─started─▶ Up
 *     PreparingForMaintenance ─silent─▶ Maintenance
 *
 * Maintenance outlives restarts and silence: an operator works on the machine, and ends it by cancelMaintenance. Each
 * step is a compare-and-set in the store, so of two operators who ask at once one is told no.
 */
export type ServerStep =
  | 'prepareForMaintenance'
  | 'cancelMaintenance'
  | 'prepareForShutdown'
  | 'cancelShutdown'
  | 'triggerShutdown'
  | 'maintenanceDrained'
  | 'shutdownDrained'
  | 'silent'
  | 'silentInPreparation';

interface Transition {
  readonly from: readonly ServerState[];
  readonly to: ServerState;
  /** It only goes on with what somebody has asked for. */
  readonly keepsBy?: true;
}

export const TRANSITIONS: Readonly<Record<ServerStep, Transition>> = {
  prepareForMaintenance: { from: ['Up'], to: 'PreparingForMaintenance' },
  maintenanceDrained: { from: ['PreparingForMaintenance'], to: 'Maintenance', keepsBy: true },
  cancelMaintenance: { from: ['PreparingForMaintenance', 'Maintenance'], to: 'Up' },
  prepareForShutdown: { from: ['Up'], to: 'PreparingForShutDown' },
  shutdownDrained: { from: ['PreparingForShutDown'], to: 'ReadyToShutDown', keepsBy: true },
  cancelShutdown: { from: ['PreparingForShutDown', 'ReadyToShutDown'], to: 'Up' },
  triggerShutdown: { from: ['Up', 'Maintenance', 'PreparingForShutDown', 'ReadyToShutDown'], to: 'ShuttingDown' },
  silent: {
    from: ['Up', 'PreparingForShutDown', 'ReadyToShutDown', 'ShuttingDown'],
    to: 'Down',
  },
  silentInPreparation: { from: ['PreparingForMaintenance'], to: 'Maintenance', keepsBy: true },
};

/** A restart in one of these comes up in it again. */
export const KEPT_STATES: readonly ServerState[] = ['PreparingForMaintenance', 'Maintenance'];

/** What becomes of a server that is silent; undefined: it stays what it is. */
export function stepOnSilence(state: ServerState): ServerStep | undefined {
  if (state === 'PreparingForMaintenance') return 'silentInPreparation';
  return state === 'Down' || state === 'Maintenance' ? undefined : 'silent';
}

/** What a server that finds itself in this state drains for; undefined in a state without a drain. */
export function drainPurpose(state: ServerState): 'maintenance' | 'shutdown' | undefined {
  if (state === 'PreparingForMaintenance') return 'maintenance';
  return state === 'PreparingForShutDown' ? 'shutdown' : undefined;
}
