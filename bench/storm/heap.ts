/** A binary heap: what has the smallest key comes first, and of equal keys what was pushed first. */
export class Heap<T> {
  readonly #entries: Entry<T>[] = [];
  #pushed = 0;

  get size(): number {
    return this.#entries.length;
  }

  /** The smallest key; undefined when it is empty. */
  get firstKey(): number | undefined {
    return this.#entries[0]?.key;
  }

  get first(): T | undefined {
    return this.#entries[0]?.item;
  }

  push(key: number, item: T): void {
    const entries = this.#entries;
    const entry = { key, order: this.#pushed++, item };
    let at = entries.length;
    while (at > 0) {
      const above = entries[(at - 1) >> 1];
      if (above === undefined || isBefore(above, entry)) break;
      entries[at] = above;
      at = (at - 1) >> 1;
    }
    entries[at] = entry;
  }

  pop(): T | undefined {
    const entries = this.#entries;
    const [first] = entries;
    const last = entries.pop();
    if (first === undefined || last === undefined || entries.length === 0) return first?.item;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const [one, other] = [entries[left], entries[left + 1]];
      if (one === undefined) break;
      const below = other !== undefined && isBefore(other, one) ? other : one;
      if (isBefore(last, below)) break;
      entries[at] = below;
      at = below === one ? left : left + 1;
    }
    entries[at] = last;
    return first.item;
  }
}

interface Entry<T> {
  readonly key: number;
  readonly order: number;
  readonly item: T;
}

function isBefore(one: Entry<unknown>, other: Entry<unknown>): boolean {
  return one.key !== other.key ? one.key < other.key : one.order < other.order;
}
