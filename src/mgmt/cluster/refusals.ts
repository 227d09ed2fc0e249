import type { Clock } from '../../lib/clock.js';
import type { Log, LogFields } from '../../lib/logger.js';
import type { ClusterEvent, EventSink } from './events.js';
import { RareEvents } from './rare-events.js';

export interface RefusalsParts {
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
  readonly events: EventSink;
  /** How long the same is not told again. */
  readonly everyMs: number;
  /** How many different ones are told within that time. */
  readonly most: number;
}

export interface Refusal {
  /** What makes it the same case. */
  readonly key: readonly string[];
  /** Of the log. */
  readonly message: string;
  readonly fields: LogFields;
  /** Its level is that of the line in the log, too. */
  readonly event: ClusterEvent & { readonly level: 'WARN' | 'ERROR' };
}

/** Tells operators, in the log and by an event, that somebody was refused: once for each case. */
export class Refusals {
  readonly #parts: RefusalsParts;
  readonly #told: RareEvents;

  constructor(parts: RefusalsParts) {
    this.#parts = parts;
    this.#told = new RareEvents(parts);
  }

  tell({ key, message, fields, event }: Refusal): void {
    if (!this.#told.isDue(JSON.stringify(key))) return;
    const { log, events } = this.#parts;
    if (event.level === 'ERROR') log.error(message, fields);
    else log.warn(message, fields);
    events.add(event);
  }
}
