import t from 'tap';
import { heapContents } from './heap-contents.js';

class Outside {
  readonly held = new Set([{}]);
}

/** Has some of everything that is counted. */
class Owner {
  readonly #map = new Map([...Array(3).keys()].map(key => [key, { waiting: [{}, {}] }]));
  readonly #texts = new Set(['a', 'b']);
  readonly #numbers = new Set(Array(100).keys());
  readonly #none = new Map<number, number>();
  readonly #outside = new Outside();
  readonly get: () => unknown;

  constructor() {
    const hidden = [{}, {}, {}];
    this.get = () => [hidden, this.#map, this.#texts, this.#numbers, this.#none, this.#outside];
  }
}

t.test(
  'heapContents: entries by the field or variable that they are in, of all objects of a class together',
  async t => {
    const contents = await heapContents([new Owner(), new Owner()], [Outside]);
    t.equal(contents.get('objects of Owner'), 2);
    t.equal(contents.get('Owner.#map'), 6);
    t.equal(contents.get('Owner.#map[].waiting'), 12);
    t.equal(contents.get('Owner.#texts'), 4);
    t.equal(contents.get('Owner.get().hidden'), 6);
    t.ok((contents.get('Owner.#numbers') ?? 0) >= 200, 'the size of its table');
    t.equal(contents.get('Owner.#none'), undefined);
    t.equal(contents.get('objects of Outside'), undefined);
  },
);
