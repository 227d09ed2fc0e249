import type { Clock } from '../../lib/clock.js';
import { ROWS_A_PAGE, type Store } from '../store/store.js';

export interface PresentedCertificatesParts {
  readonly clock: Pick<Clock, 'wallTime'>;
  readonly store: Pick<Store, 'certificatesInstalled'>;
}

/**
 * An agent that presents a certificate has it: the answer by which it has confirmed that may have been lost. They are told to
 * the store many at a time; one that could not be told is presented again with the next link.
 */
export class PresentedCertificates {
  readonly #parts: PresentedCertificatesParts;
  /** Serials that the store has not been told of. */
  readonly #waiting = new Set<string>();

  constructor(parts: PresentedCertificatesParts) {
    this.#parts = parts;
  }

  /** An agent has become Ready with this certificate. @param serial as `canonicalSerial` gives it */
  presented(serial: string): void {
    this.#waiting.add(serial);
  }

  /** Tells the store. @throws StoreError; then they are told the next time */
  async write(): Promise<void> {
    const { clock, store } = this.#parts;
    while (this.#waiting.size > 0) {
      const serials = [...this.#waiting].slice(0, ROWS_A_PAGE);
      await store.certificatesInstalled(serials, clock.wallTime());
      for (const serial of serials) this.#waiting.delete(serial);
    }
  }
}
