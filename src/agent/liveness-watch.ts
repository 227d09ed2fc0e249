import type { Clock, Timer } from '../lib/clock.js';
import { reasonOf } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';
import { type Message, type Packet, PingAnswer, PingRoutingCommand } from '../protocol/index.js';
import type { Progress } from './commands/progress.js';
import { type LivenessEvent, type LivenessRules, nextLook, observe, startLiveness } from './liveness.js';

export interface LivenessWatchParts {
  readonly clock: Clock;
  /** The host's name is in each of its lines. */
  readonly log: Log;
  readonly rules: LivenessRules;
  /** Whether the server's machine does not acknowledge what was sent: it counts against the server. */
  isUnacknowledged(): Promise<boolean>;
  /** The host id that pings carry. */
  hostId(): number | undefined;
  /** What the resource adds to a ping; undefined when it adds nothing. It never rejects. */
  readonly report: (() => Promise<Readonly<Record<string, unknown>>>) | undefined;
  /** How far commands are, for a server of Muster's. */
  progress(): readonly Progress[];
  /** Sends a ping on the link. @returns the packet that answers it */
  request(ping: Message, timeoutMs: number): Promise<Packet>;
  /** A ping was answered. */
  onRoundTrip(ms: number): void;
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

  /** Sends a ping out of turn, which tells the server something new. The liveness rules do not wait for its answer. */
  report(): void {
    if (!this.#isStopped) this.#ping({ outOfBand: true });
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

  #ping({ outOfBand = false } = {}): void {
    const { report } = this.#parts;
    if (report === undefined) this.#send(outOfBand, {});
    else void report().then(fields => this.#send(outOfBand, fields));
  }

  #send(outOfBand: boolean, report: Readonly<Record<string, unknown>>): void {
    if (this.#isStopped) return;
    const { clock, rules } = this.#parts;
    const progress = this.#parts.progress();
    const { type, fields } = PingRoutingCommand.encode({
      _hostVmStateReport: {},
      _gatewayAccessible: true,
      _vnetAccessible: true,
      hostType: 'Routing',
      hostId: this.#parts.hostId() ?? 0,
      outOfBand,
      commandInfos: [],
      muster: { roundTripMs: this.#roundTripMs, ...(progress.length > 0 && { progress }) },
    });
    const sentAt = clock.now();
    this.#parts.request({ type, fields: { ...fields, ...report } }, rules.intervalMs * (rules.retries + 1)).then(
      ({ messages: [answer] }) => {
        if (outOfBand) {
          this.heard();
        } else {
          const roundTripMs = clock.now() - sentAt;
          this.#roundTripMs = Math.round(roundTripMs);
          this.#parts.onRoundTrip(roundTripMs);
          this.#observe({ kind: 'ping-answered' });
        }
        this.#onAnswer(answer);
      },
      // The liveness rules count the pings that are not answered.
      () => {},
    );
  }

  #onAnswer(message: Message | undefined): void {
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
    let isUnacknowledged: boolean;
    try {
      isUnacknowledged = await this.#parts.isUnacknowledged();
    } catch (error) {
      this.#parts.log.debug('Nobody can tell whether the server acknowledges', { reason: reasonOf(error) });
      return;
    }
    if (isUnacknowledged) this.#observe({ kind: 'unacknowledged' });
  }
}
