import { type Clock, delay } from '../../lib/clock.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { AgentStore } from '../store/agent-store.js';
import { HOSTS_A_BATCH, type HostDescription } from '../store/store.js';
import { isAway, type StoreHealth } from '../store/store-health.js';

/** What the store returns of a host that it has registered. */
export type RegisteredRow = Awaited<ReturnType<AgentStore['registerHosts']>>[number];

interface Waiting {
  readonly description: HostDescription;
  resolve(registered: RegisteredRow): void;
  reject(error: unknown): void;
}

export interface RegistrationBatchesParts {
  readonly store: Pick<AgentStore, 'registerHosts'>;
  readonly health: StoreHealth;
  readonly clock: Clock;
  /** Whether connections are on their way that have not sent a Startup yet. */
  areMoreComing(): boolean;
}

/**
 * Registers hosts, one call of the store at a time. What comes alone is written at once. The Startups that come during a call
 * share the next one, and it waits a moment for those that are on their way, since the commit is the dearest part of a call.
 */
export class RegistrationBatches {
  readonly #parts: RegistrationBatchesParts;
  #waiting: Waiting[] = [];
  #isWriting = false;
  /** Ends the wait for more. */
  #goOn: (() => void) | undefined;

  constructor(parts: RegistrationBatchesParts) {
    this.#parts = parts;
  }

  /** @throws StoreError */
  register(description: HostDescription): Promise<RegisteredRow> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ description, resolve, reject });
      if (!this.#isWriting) void this.#writeAll();
      else if (!this.#isWorthWaiting) this.#goOn?.();
    });
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, HOSTS_A_BATCH);
      this.#waiting = this.#waiting.slice(HOSTS_A_BATCH);
      await this.#write(batch);
      if (this.#isWorthWaiting) await this.#moreCome();
    }
    this.#isWriting = false;
  }

  get #isWorthWaiting(): boolean {
    const { length } = this.#waiting;
    return length > 0 && length < HOSTS_A_BATCH && this.#parts.areMoreComing();
  }

  async #moreCome(): Promise<void> {
    const enough = new AbortController();
    this.#goOn = () => enough.abort();
    await delay(this.#parts.clock, MGMT_LIMITS.registrationRestMs, enough.signal);
    this.#goOn = undefined;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    try {
      const { store, health } = this.#parts;
      const descriptions = batch.map(one => one.description);
      const registrations = await health.watch(() => store.registerHosts(descriptions));
      for (const [index, one] of batch.entries()) {
        const registration = registrations[index];
        if (registration === undefined) one.reject(new Error('a host that was registered has no row'));
        else one.resolve(registration);
      }
    } catch (error) {
      // One host that the store refuses must not keep the others out.
      if (batch.length > 1 && !isAway(error)) for (const one of batch) await this.#write([one]);
      else for (const one of batch) one.reject(error);
    }
  }
}
