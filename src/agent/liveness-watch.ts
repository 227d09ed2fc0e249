import type { Clock, Timer } from '../lib/clock.js';
import { reasonOf } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';
import { type Message, type Packet, PingAnswer, PingRoutingCommand } from '../protocol/index.js';
import { type Connection, isUnacknowledged } from './kernel-tcp.js';
import { type LivenessEvent, type LivenessRules, nextLook, observe, startLiveness } from './liveness.js';

export interface LivenessWatchParts {
  readonly clock: Clock;
  /** The host's name is in each of its lines. */
  readonly log: Log;
  readonly rules: LivenessRules;
  /** The TCP connection whose unacknowledged bytes count against the server. */
  readonly connection: Connection;
  /** The host id that pings carry. */
  hostId(): number | undefined;
  /** Sends a ping on the link. @returns the packet that answers it */
  request(ping: Message, timeoutMs: number): Promise<Packet>;
  onPingAnswer(answer: ReturnType<typeof PingAnswer.decode>): void;
  /** Called again each `answerTimeoutMs` while the silence lasts. */
  onSuspect(silentMs: number): void;
  /** A suspect server has sent something. */
  onCleared(): void;
  onGiveUp(unanswered: number): void;
}

/** A timer that fires this late shows that the process was stopped: packets that came meanwhile are read first. */
const STALL_MS = 1_000;

/**
 * Performs what `liveness.ts` decides for one link: sends pings, sets timers, and reports what becomes of the server.
 */
export class LivenessWatch {
  readonly #parts: LivenessWatchParts;
  #state: ReturnType<typeof startLiveness>;
  #timer: Timer;
  #isStopped = false;
  /** Of the last ping that was answered; the next ping reports it to the server. */
  #roundTripMs: number | undefined;

  /** The first ping goes out after one interval. */
  constructor(parts: LivenessWatchParts) {
    this.#parts = parts;
    this.#state = startLiveness(parts.clock.now(), parts.rules);
    this.#timer = this.#startTimer();
  }

  /** A packet has come that is not the answer to a ping. */
  heard(): void {
    this.#observe({ kind: 'heard' });
  }

  /** Sends a ping before the next one is due. */
  pingNow(): void {
    this.#observe({ kind: 'ping-wanted' });
  }

  /** No more pings and no more reports. Idempotent. */
  stop(): void {
    this.#isStopped = true;
    this.#timer.cancel();
  }

  #startTimer(): Timer {
    const { clock } = this.#parts;
    const due = nextLook(this.#state);
    return clock.after(due - clock.now(), () => {
      const tick = () => this.#observe({ kind: 'tick' });
      if (clock.now() - due < STALL_MS) tick();
      else this.#timer = clock.after(1, tick);
    });
  }

  #observe(event: LivenessEvent): void {
    if (this.#isStopped) return;
    const { clock, rules } = this.#parts;
    const { liveness, effects } = observe(this.#state, event, clock.now(), rules);
    this.#state = liveness;
    this.#timer.cancel();
    this.#timer = this.#startTimer();
    for (const effect of effects) {
      switch (effect.kind) {
        case 'ping':
          this.#ping();
          break;
        case 'ask-kernel':
          this.#askKernel();
          break;
        case 'suspect':
          this.#parts.onSuspect(effect.silentMs);
          break;
        case 'cleared':
          this.#parts.onCleared();
          break;
        case 'give-up':
          this.#parts.onGiveUp(effect.unanswered);
          break;
      }
    }
  }

  #ping(): void {
    const { clock, rules } = this.#parts;
    const ping = PingRoutingCommand.encode({
      _hostVmStateReport: {},
      _gatewayAccessible: true,
      _vnetAccessible: true,
      hostType: 'Routing',
      hostId: this.#parts.hostId() ?? 0,
      commandInfos: [],
      muster: { roundTripMs: this.#roundTripMs },
    });
    const sentAt = clock.now();
    this.#parts.request(ping, rules.intervalMs * (rules.retries + 1)).then(
      ({ messages: [answer] }) => {
        this.#roundTripMs = Math.round(clock.now() - sentAt);
        this.#onAnswer(answer);
      },
      // The liveness rules count the pings that are not answered.
      () => {},
    );
  }

  #onAnswer(message: Message | undefined): void {
    this.#observe({ kind: 'ping-answered' });
    if (this.#isStopped || message === undefined || !PingAnswer.is(message)) return;
    let answer: ReturnType<typeof PingAnswer.decode>;
    try {
      answer = PingAnswer.decode(message);
    } catch (error) {
      this.#parts.log.warn('Cannot read a PingAnswer', { reason: reasonOf(error) });
      return;
    }
    this.#parts.onPingAnswer(answer);
  }

  async #askKernel(): Promise<void> {
    if (await isUnacknowledged(this.#parts.connection)) this.#observe({ kind: 'unacknowledged' });
  }
}
