import type { Clock } from '../../lib/clock.js';
import type { ServerMeters } from './server-metrics.js';

/** How long a link has taken for each stage of its way to Ready. Of a Startup that was refused, the one that follows counts. */
export class ReadyTimes {
  readonly #clock: Clock;
  readonly #handshakeMs: number;
  readonly #securedAt: number;
  #startedAt: number;
  #welcomedAt: number;

  /** Its TLS handshake has ended now. @param handshakeMs how long that took, from the first byte */
  constructor(clock: Clock, handshakeMs: number) {
    this.#clock = clock;
    this.#handshakeMs = handshakeMs;
    this.#securedAt = this.#startedAt = this.#welcomedAt = clock.now();
  }

  /** Its Startup has come. */
  started(): void {
    this.#startedAt = this.#welcomedAt = this.#clock.now();
  }

  /** Its agent is registered, and is told its ids. */
  welcomed(): void {
    this.#welcomedAt = this.#clock.now();
  }

  /** Its agent has answered Ready. */
  observeReady({ readySeconds }: Pick<ServerMeters, 'readySeconds'>): void {
    readySeconds.observe({ stage: 'handshake' }, this.#handshakeMs / 1_000);
    readySeconds.observe({ stage: 'startup' }, (this.#startedAt - this.#securedAt) / 1_000);
    readySeconds.observe({ stage: 'register' }, (this.#welcomedAt - this.#startedAt) / 1_000);
    readySeconds.observe({ stage: 'ready' }, (this.#clock.now() - this.#welcomedAt) / 1_000);
  }
}
