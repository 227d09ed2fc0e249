import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import { mapInSteps, runInTurns } from '../../lib/interruptible.js';
import type { Log } from '../../lib/logger.js';
import type { Store } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';
import { type LinkStatus, packLinkStatus } from './link-status.js';

const WRITE_MS = 30_000;
/** An agent that has just come is what operators ask about: they need not wait so long. */
const LOOK_MS = 5_000;

interface LinkStatusWriterParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly health: StoreHealth;
  readonly msid: number;
}

/** Shows the others what this server knows of its links: one packed row, now and then, and never a write per ping. */
export class LinkStatusWriter {
  readonly #store: Pick<Store, 'putLinkStatus'>;
  readonly #parts: LinkStatusWriterParts;
  readonly #links: () => Iterable<LinkStatus>;
  #timer: Timer | undefined;
  #isStopped = false;
  #writtenAt: number;
  /** When the latest link among those written became Ready. */
  #newest = 0;

  constructor(store: Pick<Store, 'putLinkStatus'>, parts: LinkStatusWriterParts, links: () => Iterable<LinkStatus>) {
    this.#store = store;
    this.#parts = parts;
    this.#links = links;
    this.#writtenAt = parts.clock.now();
  }

  start(): void {
    // A write that was under way when it was stopped.
    if (this.#isStopped) return;
    this.#timer = this.#parts.clock.after(LOOK_MS, () => void this.#look().finally(() => this.start()));
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    const { clock, log, health, msid } = this.#parts;
    const links = await runInTurns(
      mapInSteps(this.#links(), link => link),
      clock,
    );
    const newest = links.reduce((latest, { since }) => Math.max(latest, since), 0);
    if (newest <= this.#newest && clock.now() - this.#writtenAt < WRITE_MS) return;
    try {
      const at = clock.wallTime();
      const row = await runInTurns(packLinkStatus(links), clock);
      await health.watch(() => this.#store.putLinkStatus(msid, at, row));
      this.#newest = newest;
      this.#writtenAt = clock.now();
    } catch (error) {
      log.debug('The status of links could not be written', { reason: reasonOf(error) });
    }
  }
}
