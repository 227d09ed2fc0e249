import { findApiKeyPair } from '../../src/admin/api-key-file.js';
import { type ApiAnswer, ApiFailure, call, rowsOf } from '../../src/admin/client.js';
import { delay, systemClock } from '../../src/lib/clock.js';
import { systemRandom } from '../../src/lib/random.js';

/** A server that has not answered by then is not waited for. */
const LIMIT_MS = 5_000;

/** Somebody who asks the servers' API: any that answers. */
export class Operator {
  readonly #ini: string;
  readonly #endpoints: readonly string[];

  /** @param ini the `cloudstack.ini` of a server */
  constructor(ini: string, endpoints: readonly string[]) {
    this.#ini = ini;
    this.#endpoints = endpoints;
  }

  /**
   * Asks one server after the other, until one can carry it out.
   * @throws ApiFailure: it was refused; Error: no server can carry it out now
   */
  async ask(command: string, params: Readonly<Record<string, string>> = {}): Promise<ApiAnswer> {
    const pair = await findApiKeyPair({ config: this.#ini, endpoint: undefined, environment: {}, home: '' });
    let last: unknown;
    for (const endpoint of this.#endpoints) {
      const parts = { clock: systemClock, random: systemRandom };
      const asked = call({ ...pair, endpoint }, command, new Map(Object.entries(params)), parts);
      const late = delay(systemClock, LIMIT_MS).then(() => {
        throw new Error(`${endpoint} does not answer`);
      });
      try {
        return await Promise.race([asked, late]);
      } catch (error) {
        if (error instanceof ApiFailure && !error.isInternal) throw error;
        last = error;
      } finally {
        for (const promise of [asked, late]) promise.catch(() => {});
      }
    }
    throw last;
  }

  /** The objects of a list, all of them. */
  async list(
    command: string,
    field: string,
    params: Readonly<Record<string, string>> = {},
  ): Promise<readonly ApiAnswer[]> {
    const answer = await this.ask(command, { pagesize: '-1', ...params });
    if (answer.warning !== undefined) throw new Error(`${command}: ${String(answer.warning)}`);
    return rowsOf(answer[field]);
  }
}
