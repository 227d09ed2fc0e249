import type { Resource } from '../../agent/index.js';
import { peerText } from '../../lib/text/peer-text.js';

/** Of more classes, the others count as this. */
const MOST_CLASSES = 200;
const OTHERS = 'others';

/** Commands of classes that no agent knows, by their names. */
export class UnknownCommands {
  readonly #counts = new Map<string, number>();

  /** The resource, with what it does not know counted. */
  counting(resource: Resource): Resource {
    return {
      ...resource,
      answer: async (command, context) => {
        const answer = await resource.answer(command, context);
        if (answer === undefined) this.#count(peerText(command.type));
        return answer;
      },
    };
  }

  /** By class, the most frequent first. */
  get counts(): ReadonlyMap<string, number> {
    return new Map([...this.#counts].sort(([, one], [, other]) => other - one));
  }

  get sum(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  #count(name: string): void {
    const key = this.#counts.has(name) || this.#counts.size < MOST_CLASSES ? name : OTHERS;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }
}
