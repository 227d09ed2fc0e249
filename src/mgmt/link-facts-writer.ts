import type { Clock, Timer } from '../lib/clock.js';
import { reasonOf } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';
import { type LinkFact, packLinkFacts } from './link-facts.js';
import type { Store } from './store/store.js';
import type { StoreHealth } from './store-health.js';

const WRITE_MS = 30_000;

/** Shows the others what this server knows of its links: one packed row, now and then, and never a write per ping. */
export class LinkFactsWriter {
  readonly #store: Pick<Store, 'putLinkFacts'>;
  readonly #env: { readonly clock: Clock; readonly log: Log; readonly health: StoreHealth; readonly msid: number };
  readonly #facts: () => readonly LinkFact[];
  #timer: Timer | undefined;

  constructor(
    store: Pick<Store, 'putLinkFacts'>,
    env: { readonly clock: Clock; readonly log: Log; readonly health: StoreHealth; readonly msid: number },
    facts: () => readonly LinkFact[],
  ) {
    this.#store = store;
    this.#env = env;
    this.#facts = facts;
  }

  start(): void {
    this.#timer = this.#env.clock.after(WRITE_MS, () => void this.#write().finally(() => this.start()));
  }

  stop(): void {
    this.#timer?.cancel();
  }

  async #write(): Promise<void> {
    const { clock, log, health, msid } = this.#env;
    try {
      await health.watch(() => this.#store.putLinkFacts(msid, clock.wallTime(), packLinkFacts(this.#facts())));
    } catch (error) {
      log.debug('Link facts could not be written', { reason: reasonOf(error) });
    }
  }
}
