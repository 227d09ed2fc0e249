import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import { runInTurns } from '../../lib/interruptible.js';
import type { Log } from '../../lib/logger.js';
import type { Store } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';
import { type LinkFact, packLinkFacts } from './link-facts.js';

const WRITE_MS = 30_000;
/** An agent that has just come is what operators ask about: they need not wait so long. */
const LOOK_MS = 5_000;

/** Shows the others what this server knows of its links: one packed row, now and then, and never a write per ping. */
export class LinkFactsWriter {
  readonly #store: Pick<Store, 'putLinkFacts'>;
  readonly #env: { readonly clock: Clock; readonly log: Log; readonly health: StoreHealth; readonly msid: number };
  readonly #facts: () => readonly LinkFact[];
  #timer: Timer | undefined;
  #isStopped = false;
  #writtenAt: number;
  /** When the latest link among those written became Ready. */
  #newest = 0;

  constructor(
    store: Pick<Store, 'putLinkFacts'>,
    env: { readonly clock: Clock; readonly log: Log; readonly health: StoreHealth; readonly msid: number },
    facts: () => readonly LinkFact[],
  ) {
    this.#store = store;
    this.#env = env;
    this.#facts = facts;
    this.#writtenAt = env.clock.now();
  }

  start(): void {
    // A write that was under way when it was stopped.
    if (this.#isStopped) return;
    this.#timer = this.#env.clock.after(LOOK_MS, () => void this.#look().finally(() => this.start()));
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    const { clock, log, health, msid } = this.#env;
    const facts = this.#facts();
    const newest = facts.reduce((latest, { since }) => Math.max(latest, since), 0);
    if (newest <= this.#newest && clock.now() - this.#writtenAt < WRITE_MS) return;
    try {
      const at = clock.wallTime();
      const row = await runInTurns(packLinkFacts(facts), clock);
      await health.watch(() => this.#store.putLinkFacts(msid, at, row));
      this.#newest = newest;
      this.#writtenAt = clock.now();
    } catch (error) {
      log.debug('Link facts could not be written', { reason: reasonOf(error) });
    }
  }
}
