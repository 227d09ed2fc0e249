import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { AgentStore } from '#dist/mgmt/store/agent-store.js';
import {
  type AgentRow,
  type AssignmentAttempt,
  type AssignmentEntry,
  assignmentOf,
  type BegunAssignment,
  type ChangedHost,
  type ClusterRow,
  type Configuration,
  type ConfigurationAlso,
  type ConfigurationState,
  type ConfigurationUpdate,
  type HostDescription,
  type HostDisconnectedEntry,
  type HostListEntry,
  type HostReadyEntry,
  type HostReadyOutcome,
  type HostsCursor,
  type HostsReleased,
  type HostVersions,
  ROWS_A_PAGE,
  type Store,
  type StoredCanary,
} from '#dist/mgmt/store/store.js';
import { StoreError, type StoreErrorCode } from '#dist/mgmt/store/store-error.js';

/** A host's row, as far as serving agents goes. */
export interface MemoryRow extends HostDescription, AgentRow {
  readonly linkNumber: number | null;
  readonly disconnected: number | null;
  readonly disconnectReason: string | null;
}

/** What several `MemoryStore`s may share, as servers share a database. */
export class MemoryData {
  version = 0;
  assignmentStep = 0;
  assignmentGeneration = 0;
  revocation = 0;
  canary: StoredCanary | undefined;
  lastHostId = 0;
  readonly values = new Map<string, string>();
  readonly zones = new Map<string, number>();
  /** A host is in the one whose name it says; a change of one raises `version`. */
  readonly clusters: ClusterRow[] = [];
  readonly hosts = new Map<number, MemoryRow>();
  /** Every change of a host, oldest first. */
  readonly changes: (MemoryRow & { readonly removed: number | null })[] = [];
  /** Of the latest host with a guid, which may be removed. */
  readonly ids = new Map<string, number>();

  get configurationState(): ConfigurationState {
    const { version, assignmentGeneration, revocation } = this;
    return { version, assignmentGeneration, revocation, authorities: 0 };
  }
}

/** A store in memory, with an outage at the flip of a switch. A test of its own holds it against the real one. */
export class MemoryStore
  implements AgentStore, Pick<Store, 'updateConfiguration' | 'beginAssignment' | 'writeAssignments'>
{
  readonly data: MemoryData;
  /** While it is set, every call fails with it. */
  outage: StoreErrorCode | undefined;
  /** The names of all calls, in their order. */
  readonly calls: string[] = [];

  constructor(data = new MemoryData()) {
    this.data = data;
  }

  async configuration(): Promise<Configuration> {
    this.#enter('configuration');
    const values = [...this.data.values].toSorted(([one], [other]) => (one < other ? -1 : 1));
    const { canary } = this.data;
    return { ...this.data.configurationState, values: new Map(values), ...(canary && { canary }) };
  }

  async configurationState(): Promise<ConfigurationState> {
    this.#enter('configurationState');
    return this.data.configurationState;
  }

  async initialiseConfiguration(values: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, string>> {
    this.#enter('initialiseConfiguration');
    const differing = new Map<string, string>();
    let isNew = false;
    for (const [name, value] of values) {
      const stands = this.data.values.get(name);
      if (stands === undefined) {
        this.data.values.set(name, value);
        isNew = true;
      } else if (stands !== value) differing.set(name, stands);
    }
    if (isNew) this.data.version++;
    return differing;
  }

  async updateConfiguration(
    changes: ReadonlyMap<string, string>,
    expectedVersion: number,
    { attempt, canary }: ConfigurationAlso = {},
  ): Promise<ConfigurationUpdate> {
    this.#enter('updateConfiguration');
    const { data } = this;
    if (data.version !== expectedVersion) return { done: false, version: data.version };
    if (attempt !== undefined) {
      if (this.#stepOn(attempt) === undefined) return { done: false, version: data.version };
      data.assignmentGeneration = attempt.generation;
    }
    const differing = [...changes].filter(([name, value]) => data.values.get(name) !== value);
    for (const [name, value] of differing) data.values.set(name, value);
    if (differing.length > 0 || attempt !== undefined || canary !== undefined) data.version++;
    if (canary === 'ended') data.canary = undefined;
    else if (canary !== undefined) data.canary = { ...canary, id: data.version, created: 0, job: null };
    return { done: true, version: data.version };
  }

  /** Changes one value, whatever the others are. */
  async setConfiguration(name: string, value: string): Promise<void> {
    await this.updateConfiguration(new Map([[name, value]]), this.data.version);
  }

  async zoneId(name: string): Promise<number> {
    this.#enter('zoneId');
    const id = this.data.zones.get(name) ?? this.data.zones.size + 1;
    this.data.zones.set(name, id);
    return id;
  }

  async zoneHostIds(zoneId: number, after = 0): Promise<readonly number[]> {
    this.#enter('zoneHostIds');
    return this.#rows()
      .filter(host => host.zoneId === zoneId && host.id > after)
      .slice(0, ROWS_A_PAGE)
      .map(host => host.id);
  }

  async registerHosts(
    batch: readonly HostDescription[],
  ): Promise<readonly { readonly host: MemoryRow; readonly removedId: number | undefined }[]> {
    this.#enter('registerHosts');
    for (const host of batch) this.#check(host);
    return batch.map(host => {
      const removedId = this.#hostOf(host.guid) === undefined ? this.data.ids.get(host.guid) : undefined;
      return { host: this.#register(host), removedId };
    });
  }

  #check(host: HostDescription): void {
    if (Object.values(host).some(value => typeof value === 'string' && value.includes('\0'))) {
      throw new StoreError('STORE_VALUE_REFUSED', 'registerHosts');
    }
    if (![...this.data.zones.values()].includes(host.zoneId)) throw new StoreError('STORE_FAILED', 'registerHosts');
  }

  #register(description: HostDescription): MemoryRow {
    const known = this.#hostOf(description.guid);
    const host: MemoryRow = known
      ? { ...known, ...description, status: known.status === 'Up' ? 'Up' : 'Connecting' }
      : {
          ...description,
          id: ++this.data.lastHostId,
          uuid: randomUUID(),
          status: 'Connecting',
          msid: null,
          epoch: 0,
          clusterId: this.data.clusters.find(({ name }) => name === description.cluster)?.id ?? null,
          preferred: null,
          instanceId: null,
          linkAddress: null,
          linkNumber: null,
          changed: 0,
          nextPreferred: null,
          nextGeneration: null,
          msHostList: null,
          disconnected: null,
          disconnectReason: null,
        };
    const isSame = known !== undefined && isDeepStrictEqual(known, host);
    return isSame ? known : this.#put(host);
  }

  async hostsReady(batch: readonly HostReadyEntry[]): Promise<readonly HostReadyOutcome[]> {
    this.#enter('hostsReady');
    return batch.map(({ id, msid, msHostList, instanceId = null, linkAddress = null, linkNumber = null }) => {
      const host = this.data.hosts.get(id);
      if (host === undefined) return { kind: 'removed' };
      const isElsewhere = host.msid !== null && host.msid !== msid;
      if (isElsewhere && instanceId !== null && host.instanceId === instanceId && linkNumber !== null)
        if (host.linkNumber !== null && host.linkNumber > linkNumber) return { kind: 'superseded' };
      const epoch = host.epoch + 1;
      const up = { status: 'Up', disconnected: null, disconnectReason: null } as const;
      this.#change(host, { ...up, msid, epoch, msHostList, instanceId, linkAddress, linkNumber });
      return { kind: 'taken', epoch };
    });
  }

  async hostsDisconnected(batch: readonly HostDisconnectedEntry[]): Promise<readonly boolean[]> {
    this.#enter('hostsDisconnected');
    return batch.map(({ id, msid, epoch, at, reason, connectingSince }) => {
      const host = this.data.hosts.get(id);
      if (host?.epoch !== epoch || host.msid !== msid) return false;
      const isConnecting = host.status === 'Connecting' && host.changed === connectingSince;
      if (connectingSince !== undefined && !isConnecting) return false;
      this.#change(host, { msid: null, status: 'Disconnected', disconnected: at, disconnectReason: reason });
      return true;
    });
  }

  async hostsMsHostList(batch: readonly HostListEntry[]): Promise<readonly boolean[]> {
    this.#enter('hostsMsHostList');
    return batch.map(({ id, epoch, msHostList }) => {
      const host = this.data.hosts.get(id);
      if (host?.epoch !== epoch) return false;
      this.#change(host, { msHostList });
      return true;
    });
  }

  async assignHosts(
    batch: readonly AssignmentEntry[],
    generation: number,
  ): Promise<readonly (string | null)[] | undefined> {
    this.#enter('assignHosts');
    if (generation !== this.data.assignmentGeneration) return undefined;
    return batch.map(({ id, preferred }) => {
      const host = this.data.hosts.get(id);
      if (host === undefined) return null;
      const standing = assignmentOf(host, generation);
      if (standing === null) this.#change(host, { preferred });
      return standing ?? preferred;
    });
  }

  async beginAssignment(abandonedStep?: number): Promise<BegunAssignment> {
    this.#enter('beginAssignment');
    const { data } = this;
    const isComing = ({ nextGeneration }: MemoryRow) => (nextGeneration ?? 0) > data.assignmentGeneration;
    const written = this.#rows().filter(isComing);
    if (written.length > 0 && data.assignmentStep !== abandonedStep) return { begun: false, step: data.assignmentStep };
    for (const host of written) this.#change(host, { nextPreferred: null, nextGeneration: null });
    const generation = ++data.assignmentStep;
    return { begun: true, attempt: { generation, step: generation } };
  }

  async writeAssignments(
    attempt: AssignmentAttempt,
    batch: readonly AssignmentEntry[],
  ): Promise<AssignmentAttempt | undefined> {
    this.#enter('writeAssignments');
    const next = this.#stepOn(attempt);
    if (next === undefined) return undefined;
    for (const { id, preferred: nextPreferred } of batch) {
      const host = this.data.hosts.get(id);
      const nextGeneration = attempt.generation;
      if (host === undefined) continue;
      this.#change(host, {
        preferred: assignmentOf(host, this.data.assignmentGeneration),
        nextPreferred,
        nextGeneration,
      });
    }
    return next;
  }

  async clusters(): Promise<readonly ClusterRow[]> {
    this.#enter('clusters');
    return this.data.clusters;
  }

  async releaseHosts(msid: number, { at, reason }: HostsReleased): Promise<number> {
    this.#enter('releaseHosts');
    const owned = this.#rows().filter(host => host.msid === msid);
    for (const host of owned) {
      this.#change(host, { msid: null, status: 'Disconnected', disconnected: at, disconnectReason: reason });
    }
    return owned.length;
  }

  async deleteMoves(): Promise<number> {
    this.#enter('deleteMoves');
    return 0;
  }

  async hosts(after = 0): Promise<readonly MemoryRow[]> {
    this.#enter('hosts');
    return this.#rows()
      .filter(host => host.id > after)
      .slice(0, ROWS_A_PAGE);
  }

  /** Only the position in the list of changes stands in the cursor. */
  async hostVersions(after?: HostsCursor): Promise<HostVersions> {
    this.#enter('hostVersions');
    const { changes } = this.data;
    if (after === undefined) return { versions: [], cursor: { at: changes.length }, more: false };
    const at = Math.min(changes.length, after.at + ROWS_A_PAGE);
    return { versions: changes.slice(after.at, at), cursor: { at }, more: at < changes.length };
  }

  async hostsById(ids: readonly number[]): Promise<readonly ChangedHost[]> {
    this.#enter('hostsById');
    const wanted = new Set(ids);
    const newest = new Map<number, ChangedHost>();
    for (const change of this.data.changes.toReversed()) {
      if (newest.size === wanted.size) break;
      if (wanted.has(change.id) && !newest.has(change.id)) newest.set(change.id, change);
    }
    return [...wanted].flatMap(id => newest.get(id) ?? []);
  }

  async removeHost(id: number, at: number): Promise<boolean> {
    this.#enter('removeHost');
    const host = this.data.hosts.get(id);
    if (host === undefined) return false;
    this.data.hosts.delete(id);
    this.data.changes.push({ ...host, msid: null, changed: this.data.changes.length + 1, removed: at });
    return true;
  }

  #stepOn(attempt: AssignmentAttempt): AssignmentAttempt | undefined {
    if (this.data.assignmentStep !== attempt.step) return undefined;
    return { ...attempt, step: ++this.data.assignmentStep };
  }

  /** The number of the change stands for its moment. */
  #put(written: MemoryRow): MemoryRow {
    const host = { ...written, changed: this.data.changes.length + 1 };
    this.data.hosts.set(host.id, host);
    this.data.ids.set(host.guid, host.id);
    this.data.changes.push({ ...host, removed: null });
    return host;
  }

  #enter(operation: string): void {
    this.calls.push(operation);
    if (this.outage) throw new StoreError(this.outage, operation);
  }

  /** By ascending id, as they were made. */
  #rows(): MemoryRow[] {
    return [...this.data.hosts.values()];
  }

  #hostOf(guid: string): MemoryRow | undefined {
    const id = this.data.ids.get(guid);
    return id === undefined ? undefined : this.data.hosts.get(id);
  }

  #change(host: MemoryRow, changes: Partial<MemoryRow>): void {
    this.#put({ ...host, ...changes });
  }
}
