import { readAll } from '../store/pages.js';
import type { Store } from '../store/store.js';

/** A serial number, in hex however it is written, as revocations have it: lower case, without leading zeros. */
export function canonicalSerial(hex: string): string {
  return hex.replaceAll(/[:\s]/g, '').replace(/^0x/i, '').toLowerCase().replace(/^0+/, '');
}

/** The revoked certificates, in memory, as far as they were read from the store. */
export class Revocations {
  readonly #store: Pick<Store, 'revocations'>;
  readonly #serials = new Set<string>();
  /** The id of the last one that was read. */
  #last = 0;

  constructor(store: Pick<Store, 'revocations'>) {
    this.#store = store;
  }

  /** @param serial as `canonicalSerial` gives it */
  has(serial: string): boolean {
    return this.#serials.has(serial);
  }

  /**
   * Reads what is new.
   * @param counter `Configuration.revocation`
   * @returns whether there was something new
   * @throws StoreError
   */
  async follow(counter: number): Promise<boolean> {
    if (counter <= this.#last) return false;
    const fresh = await readAll(after => this.#store.revocations(Math.max(after, this.#last)));
    for (const { id, serial } of fresh) {
      this.#serials.add(serial);
      this.#last = Math.max(this.#last, id);
    }
    return fresh.length > 0;
  }
}
