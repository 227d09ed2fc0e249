import type { Clock, Timer } from '../../lib/clock.js';
import type { Wire } from './dialer.js';

export interface ConnectToAnyParts {
  readonly clock: Clock;
  connect(address: string, signal: AbortSignal): Promise<Wire>;
  /** When the next address is tried beside the last one; undefined to try it only when the last one has failed. */
  readonly staggerMs: number | undefined;
  /** How long each address may take. */
  readonly limitMs: number;
  /** Ends it all. */
  readonly signal: AbortSignal;
}

/** A connection, and the addresses that have not failed and were not reached. */
export interface Reached {
  readonly wire: Wire;
  readonly untried: readonly string[];
}

/**
 * Connects to the first of the addresses that accepts. Other connections that are under way then are closed, without a
 * byte sent on them.
 * @param addresses at least one, each once
 * @throws the error of the only address, or an AggregateError of those of all; or the signal's reason
 */
export function connectToAny(addresses: readonly string[], parts: ConnectToAnyParts): Promise<Reached> {
  const { clock, connect, staggerMs, limitMs, signal } = parts;
  return new Promise((resolve, reject) => {
    const running = new Set<AbortController>();
    const failures = new Map<string, unknown>();
    let begun = 0;
    let isOver = false;
    let stagger: Timer | undefined;

    const end = () => {
      isOver = true;
      stagger?.cancel();
      signal.removeEventListener('abort', onAbort);
      for (const attempt of running) attempt.abort(new Error('another address was faster'));
    };
    const onAbort = () => {
      end();
      reject(signal.reason);
    };
    const beginNext = () => {
      stagger?.cancel();
      const address = addresses[begun];
      if (address === undefined) return;
      const number = ++begun;
      const attempt = new AbortController();
      running.add(attempt);
      const limit = clock.after(limitMs, () =>
        attempt.abort(new Error(`no connection to ${address} within ${Math.round(limitMs)} ms`)),
      );
      attempt.signal.addEventListener('abort', () => limit.cancel(), { once: true });
      connect(address, attempt.signal).then(
        wire => {
          limit.cancel();
          running.delete(attempt);
          if (isOver) {
            wire.destroy();
            return;
          }
          end();
          resolve({ wire, untried: addresses.filter(other => other !== address && !failures.has(other)) });
        },
        error => {
          limit.cancel();
          running.delete(attempt);
          if (isOver) return;
          failures.set(address, error);
          if (failures.size === addresses.length) {
            end();
            reject(failures.size === 1 ? error : new AggregateError(failures.values(), ''));
          } else if (number === begun) beginNext();
        },
      );
      if (staggerMs !== undefined) stagger = clock.after(staggerMs, beginNext);
    };

    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    beginNext();
  });
}
