import type { Socket } from 'node:net';
import type { Clock, Timer } from '../clock.js';

/** What holds for one direction of a connection. */
export interface PipeFaults {
  readonly delayMs: number;
  /** Undefined: any number. */
  readonly bytesPerSecond: number | undefined;
  readonly isSilent: boolean;
  /** The connection is cut behind so many bytes. */
  readonly bytesLeft: number;
}

export interface FaultyPipeParts {
  readonly clock: Clock;
  /** As of now. */
  faults(): PipeFaults;
  /** So many bytes go on. */
  onPassed(bytes: number): void;
  /** The last byte of `bytesLeft` has gone on. */
  onCut(): void;
}

/** What has come, and when it may go on. */
interface Arrival {
  /** Undefined: the end of the stream. */
  readonly bytes: Buffer | undefined;
  readonly dueAt: number;
}

const MOST_HELD_BYTES = 1_048_576;
const PIECES_PER_SECOND = 10;

/** Carries bytes from one socket to another, in order, as late and as slowly as its faults say. */
export class FaultyPipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #parts: FaultyPipeParts;
  readonly #arrivals: Arrival[] = [];
  #heldBytes = 0;
  /** By `bytesPerSecond`, the next piece may not go on before this. */
  #nextAt = 0;
  #timer: Timer | undefined;
  #isOver = false;

  constructor(from: Socket, to: Socket, parts: FaultyPipeParts) {
    this.#from = from;
    this.#to = to;
    this.#parts = parts;
    from.on('data', (bytes: Buffer) => this.#arrive(bytes));
    from.on('end', () => this.#arrive(undefined));
    to.on('drain', () => this.pass());
  }

  /** What has come and has not gone on. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Nothing goes on any more. */
  stop(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  /** Lets go on what may. */
  pass(): void {
    this.#timer?.cancel();
    const { clock, faults, onPassed, onCut } = this.#parts;
    for (let next = this.#arrivals[0]; next !== undefined && !this.#isOver; next = this.#arrivals[0]) {
      const { bytesPerSecond, isSilent, bytesLeft } = faults();
      if (isSilent || this.#to.writableNeedDrain) return;
      const waitMs = Math.max(next.dueAt, bytesPerSecond === undefined ? 0 : this.#nextAt) - clock.now();
      if (waitMs > 0) {
        this.#timer = clock.after(waitMs, () => this.pass());
        return;
      }
      this.#arrivals.shift();
      if (next.bytes === undefined) {
        this.#to.end();
        return;
      }
      const most = bytesPerSecond === undefined ? next.bytes.length : Math.ceil(bytesPerSecond / PIECES_PER_SECOND);
      const piece = next.bytes.subarray(0, Math.min(most, bytesLeft));
      if (piece.length < next.bytes.length) {
        this.#arrivals.unshift({ bytes: next.bytes.subarray(piece.length), dueAt: next.dueAt });
      }
      if (bytesPerSecond !== undefined) this.#nextAt = clock.now() + (1_000 * piece.length) / bytesPerSecond;
      this.#heldBytes -= piece.length;
      onPassed(piece.length);
      if (piece.length < bytesLeft) {
        this.#to.write(piece);
      } else {
        // What was passed on before the cut has to be on its way first.
        this.#isOver = true;
        this.#to.write(piece, () => onCut());
      }
      if (this.#heldBytes < MOST_HELD_BYTES) this.#from.resume();
    }
  }

  #arrive(bytes: Buffer | undefined): void {
    const { clock, faults } = this.#parts;
    this.#arrivals.push({ bytes, dueAt: clock.now() + faults().delayMs });
    this.#heldBytes += bytes?.length ?? 0;
    if (this.#heldBytes >= MOST_HELD_BYTES) this.#from.pause();
    this.pass();
  }
}
