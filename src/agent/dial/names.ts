import { isIP } from 'node:net';
import { withinLimit } from '../../lib/abort.js';
import type { Clock } from '../../lib/clock.js';
import { LIMITS } from '../../protocol/index.js';
import type { KnownAddresses } from './known-addresses.js';

export interface NamesParts {
  readonly clock: Clock;
  /** The addresses that names had when they were last looked up with success. */
  readonly known: KnownAddresses;
  /** Asks the system. It may take as long as it likes. @throws when the name has no address, or nobody answers */
  lookup(name: string): Promise<readonly string[]>;
}

/** When a lookup takes longer than this, the last good addresses are used, if there are any. */
const LATE_MS = 1_000;

/**
 * The addresses of host names. Each name has at most one lookup in flight, which all callers share. A caller waits for
 * it no longer than `LIMITS.lookupMs`. When it fails or is late, the last good addresses are used.
 */
export class Names {
  readonly #parts: NamesParts;
  readonly #lookups = new Map<string, Promise<readonly string[]>>();

  constructor(parts: NamesParts) {
    this.#parts = parts;
  }

  /**
   * @param name a host name, or an IP address, which is returned as it is
   * @returns at least one address
   * @throws the error of the lookup, or an error with the code ETIMEOUT
   */
  async addresses(name: string): Promise<readonly string[]> {
    if (isIP(name)) return [name];
    const lookup = this.#lookup(name);
    // An error is handled below, but possibly only after this function has waited for the file.
    lookup.catch(() => {});
    const known = await this.#parts.known.get(name);
    const { clock } = this.#parts;
    if (known !== undefined) {
      const orKnown = lookup.catch(() => known);
      return withinLimit(
        clock,
        LATE_MS,
        () => orKnown,
        () => known,
      );
    }
    return withinLimit(
      clock,
      LIMITS.lookupMs,
      () => lookup,
      () => Promise.reject(timeout(name)),
    );
  }

  #lookup(name: string): Promise<readonly string[]> {
    const running = this.#lookups.get(name);
    if (running !== undefined) return running;
    const lookup = this.#parts.lookup(name).then(addresses => {
      this.#parts.known.set(name, addresses);
      return addresses;
    });
    this.#lookups.set(name, lookup);
    const done = () => void this.#lookups.delete(name);
    lookup.then(done, done);
    return lookup;
  }
}

function timeout(name: string): Error {
  const message = `the lookup of ${name} was not answered within ${LIMITS.lookupMs} ms`;
  return Object.assign(new Error(message), { code: 'ETIMEOUT' });
}
