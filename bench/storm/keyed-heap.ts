import { Heap } from '../../scripts/programs/heap.js';

interface Entry<T> {
  readonly key: number;
  readonly order: number;
  readonly item: T;
}

/** What has the smallest key comes first, and of equal keys what was pushed first. */
export class KeyedHeap<T> {
  readonly #heap = new Heap<Entry<T>>((one, other) =>
    one.key !== other.key ? one.key < other.key : one.order < other.order,
  );
  #pushed = 0;

  /** The smallest key; undefined when it is empty. */
  get firstKey(): number | undefined {
    return this.#heap.peek()?.key;
  }

  get first(): T | undefined {
    return this.#heap.peek()?.item;
  }

  push(key: number, item: T): void {
    this.#heap.push({ key, order: this.#pushed++, item });
  }

  pop(): T | undefined {
    return this.#heap.pop()?.item;
  }
}
