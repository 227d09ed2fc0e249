import type { Random } from '../../src/lib/random.js';
import type { Store } from '../../src/mgmt/store/store.js';
import { StoreError } from '../../src/mgmt/store/store-error.js';
import { storeOver } from '../helpers/store-way.js';
import type { SimulatedProcess } from './simulated-process.js';
import { PHASE, type World } from './world.js';

/** How the way from one server to the store is. */
export type StoreWeather =
  | { readonly kind: 'good' }
  /** Calls fail at once, and the store hears nothing of them. */
  | { readonly kind: 'away' }
  /** Calls take so much longer. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** So many of a hundred calls fail: half of them after they were carried out, which the caller cannot know. */
  | { readonly kind: 'unsure'; readonly percent: number };

const CALL_MS = { least: 0.2, more: 1.5 };
/** No call takes longer than this: the store's own limit. */
const LONGEST_MS = 2_000;

/** The way from one process to the store. */
export class StoreLink {
  weather: StoreWeather = { kind: 'good' };
  /** Of the present process. */
  #connection = { calls: new Set<Promise<unknown>>(), isClosed: false };
  readonly #world: World;
  readonly #random: Random;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  /**
   * The store as the process sees it.
   * @param onWrite called when a call has been carried out, whether or not the process hears of it
   */
  over(store: Store, process: SimulatedProcess, onCarriedOut: (call: string) => void): Store {
    const connection = { calls: new Set<Promise<unknown>>(), isClosed: false };
    this.#connection = connection;
    return storeOver(store, (call, carryOut) => {
      if (connection.isClosed) return Promise.reject(new StoreError('STORE_CLOSED', call));
      const ended = this.#call(process, call, async () => {
        const result = await carryOut();
        onCarriedOut(call);
        return result;
      });
      connection.calls.add(ended);
      const done = () => void connection.calls.delete(ended);
      ended.then(done, done);
      return ended;
    });
  }

  /** As `Store.close`: calls under way end, and later ones reject. */
  async close(): Promise<void> {
    const { calls } = this.#connection;
    this.#connection.isClosed = true;
    await Promise.allSettled(calls);
  }

  #call<T>(process: SimulatedProcess, call: string, carryOut: () => Promise<T>): Promise<T> {
    const { weather } = this;
    const takes = () => CALL_MS.least + this.#random.uniform() * CALL_MS.more;
    const extra = weather.kind === 'slow' ? Math.min(weather.ms, LONGEST_MS) : 0;
    const luck = weather.kind === 'unsure' ? this.#random.int(200) : 200;
    const failsBefore = weather.kind === 'away' || luck < (weather.kind === 'unsure' ? weather.percent : 0);
    const failsAfter = !failsBefore && weather.kind === 'unsure' && luck < 2 * weather.percent;
    return new Promise((resolve, reject) => {
      const answer = (how: () => void) => process.receive(takes(), how);
      if (failsBefore) {
        answer(() => reject(new StoreError('STORE_UNAVAILABLE', call)));
        return;
      }
      // The process may end meanwhile: the store carries the call out all the same.
      this.#world.plan(takes() + extra, PHASE.io, undefined, () => {
        carryOut().then(
          result => answer(() => (failsAfter ? reject(new StoreError('STORE_UNAVAILABLE', call)) : resolve(result))),
          error => answer(() => reject(error)),
        );
      });
    });
  }
}
