/** What a simulated host has, and commands change. */
export interface KvmState {
  /** VMs that run, by name. */
  readonly vms: ReadonlyMap<string, Vm>;
  /** Storage pools that servers have told it to mount, by uuid. */
  readonly pools: ReadonlyMap<string, Pool>;
}

export interface Vm {
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Of its console. */
  readonly vncPort: number;
  /** When it was started, in milliseconds of the host's clock. */
  readonly since: number;
}

export interface Pool {
  readonly type: string;
  readonly capacityBytes: number;
}

const FIRST_VNC_PORT = 5_900;
const GIB = 2 ** 30;

/** With VMs that run already. @param number of the host */
export function initialKvmState(number: number, vms: number, now: number): KvmState {
  let state: KvmState = { vms: new Map(), pools: new Map() };
  for (let vm = 1; vm <= vms; vm++) {
    state = withVm(state, `i-2-${number * 1_000 + vm}-VM`, { cpus: 2, memoryBytes: 2 * GIB, since: now });
  }
  return state;
}

/** The VM runs. One of that name that runs already goes on as it is. */
export function withVm(state: KvmState, name: string, vm: Omit<Vm, 'vncPort'>): KvmState {
  if (state.vms.has(name)) return state;
  const taken = new Set([...state.vms.values()].map(({ vncPort }) => vncPort));
  let vncPort = FIRST_VNC_PORT;
  while (taken.has(vncPort)) vncPort++;
  return { ...state, vms: new Map(state.vms).set(name, { ...vm, vncPort }) };
}

export function withoutVm(state: KvmState, name: string): KvmState {
  const vms = new Map(state.vms);
  vms.delete(name);
  return { ...state, vms };
}

export function withPool(state: KvmState, uuid: string, pool: Pool): KvmState {
  return { ...state, pools: new Map(state.pools).set(uuid, pool) };
}

export function withoutPool(state: KvmState, uuid: string): KvmState {
  const pools = new Map(state.pools);
  pools.delete(uuid);
  return { ...state, pools };
}
