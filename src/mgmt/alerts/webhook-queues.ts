import { untilAborted } from '../../lib/abort.js';
import { fullJitter } from '../../lib/backoff.js';
import { type Clock, delay } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import type { Random } from '../../lib/random.js';
import type { Configuration } from '../config/parameters.js';
import { silencedTo } from '../config/silences.js';
import { type PostJson, signatureOf, type Told, webhookBody } from './webhook.js';

export interface WebhookQueuesParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly postJson: PostJson;
  configuration(): Configuration;
  /** The secret of the API key of this name. */
  secretOf(keyName: string): string | undefined;
}

/** What is to be posted to each webhook. */
export interface Notice {
  readonly told: Told;
  /** What the alert is about: silences go by it. */
  readonly subject: string;
  /** The webhooks that have it. Those that are reached are added. */
  readonly reached: Set<string>;
  /** Asked before each post. What a webhook is not to be told any more counts as told. */
  isWanted(url: string): boolean;
}

interface Entry {
  readonly notice: Notice;
  /** No post begins later, by the clock. */
  readonly until: number;
  failures: number;
  end(isTold: boolean): void;
}

/** How long a notice may wait in a queue. The last post ends within `HELD_MS` and the poster's limit. */
export const HELD_MS = 150_000;
const TRIES = 4;
const BACKOFF = { baseMs: 1_000, maxMs: 15_000 } as const;

/**
 * A queue for each webhook, and one post at a time in each: a webhook that does not answer delays no other one. After a
 * failure the next notice has its turn, behind a wait that grows with the failures in a row.
 */
export class WebhookQueues {
  readonly #parts: WebhookQueuesParts;
  readonly #stopping: AbortSignal;
  /** By URL; there is one while it is served. */
  readonly #queues = new Map<string, Entry[]>();

  /** @param stopping ends all posts; what waits is not told then */
  constructor(parts: WebhookQueuesParts, stopping: AbortSignal) {
    this.#parts = parts;
    this.#stopping = stopping;
  }

  /** Posts to each webhook, several times if need be. Never rejects. @returns whether all have it that are to have it */
  async tell(notice: Notice): Promise<boolean> {
    const { values } = this.#parts.configuration();
    const results = await Promise.all(values['alert.webhook.url'].map(url => this.#enqueue(url, notice)));
    return results.every(Boolean);
  }

  #enqueue(url: string, notice: Notice): Promise<boolean> {
    return new Promise(end => {
      const entry = { notice, until: this.#parts.clock.now() + HELD_MS, failures: 0, end };
      const queue = this.#queues.get(url);
      if (queue !== undefined) {
        queue.push(entry);
        return;
      }
      const begun = [entry];
      this.#queues.set(url, begun);
      void this.#serve(url, begun);
    });
  }

  /** Never rejects. */
  async #serve(url: string, queue: Entry[]): Promise<void> {
    const { clock, random } = this.#parts;
    let failures = 0;
    for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) {
      const known = this.#resultOf(url, entry);
      if (known !== undefined) {
        entry.end(known);
        continue;
      }
      if (await this.#post(url, entry.notice.told, ++failures)) {
        failures = 0;
        entry.notice.reached.add(url);
        entry.end(true);
        continue;
      }
      entry.failures++;
      postpone(queue, entry);
      await delay(clock, fullJitter(failures, BACKOFF, random.uniform()), this.#stopping);
    }
    this.#queues.delete(url);
  }

  /** @returns whether the notice counts as told; undefined: it is to be posted now */
  #resultOf(url: string, { notice, until, failures }: Entry): boolean | undefined {
    const { clock, configuration } = this.#parts;
    const { values } = configuration();
    if (notice.reached.has(url)) return true;
    if (this.#stopping.aborted) return false;
    if (!values['alert.webhook.url'].includes(url) || !notice.isWanted(url)) return true;
    if (silencedTo(values['alert.silences'], notice.subject, clock.wallTime()) !== undefined) return true;
    if (failures >= TRIES || clock.now() >= until) return false;
    // An alert that nobody can verify is better than none, unless it is said to be signed.
    const keyName = values['alert.webhook.key'];
    return keyName !== '' && this.#parts.secretOf(keyName) === undefined ? false : undefined;
  }

  /** Once. @returns whether it was received */
  async #post(url: string, told: Told, failures: number): Promise<boolean> {
    const { log, postJson, configuration, secretOf } = this.#parts;
    const body = webhookBody(told);
    const secret = secretOf(configuration().values['alert.webhook.key']);
    const headers = secret === undefined ? {} : { 'x-muster-signature': signatureOf(body, secret) };
    try {
      await untilAborted(postJson(url, body, headers), this.#stopping);
      return true;
    } catch (error) {
      // The path of a webhook is often a secret.
      log.warn('An alert could not be posted', { webhook: new URL(url).origin, failures, reason: reasonOf(error) });
      return false;
    }
  }
}

/** To the end, and behind it the same alert's later notices: they are told in their order. */
function postpone(queue: Entry[], entry: Entry): void {
  const isSame = ({ notice }: Entry) => notice.told.uuid === entry.notice.told.uuid;
  const later = queue.filter(isSame);
  const others = queue.filter(other => !isSame(other));
  queue.splice(0, queue.length, ...others, entry, ...later);
}
