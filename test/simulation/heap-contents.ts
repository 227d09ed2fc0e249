import { getHeapSnapshot } from 'node:v8';

/** How many entries the collections of each owner have, and how many objects of each class there are. */
export type HeapContents = ReadonlyMap<string, number>;

/** A snapshot as V8 writes it: a node has `node_fields` numbers, and its edges follow those of the node before it. */
interface HeapSnapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly [readonly string[], ...unknown[]];
      readonly edge_fields: readonly string[];
      readonly edge_types: readonly [readonly string[], ...unknown[]];
    };
  };
  readonly nodes: readonly number[];
  readonly edges: readonly number[];
  readonly strings: readonly string[];
}

/** What the search begins with: a snapshot has it by the name of its class. */
class HeapRoot {
  readonly holds: unknown;

  constructor(holds: unknown) {
    this.holds = holds;
  }
}

/** Objects of these are named by where they are; those of all other classes by their class. */
const PLAIN = new Set(['Object', 'Array', 'Map', 'Set', 'Promise', 'Generator', 'AsyncGenerator', 'Arguments']);
/** Node's own, by way of which all of Node is reached, and what keeps nothing alive by itself. */
const NOT_FOLLOWED = ['BuiltinModule', 'Module', 'process', 'WeakMap', 'WeakSet', 'WeakRef', 'FinalizationRegistry'];
/** Types of nodes that hold nothing of the program. */
const ATOMS = new Set([
  ...['string', 'concatenated string', 'sliced string', 'number', 'heap number', 'bigint', 'symbol'],
  ...['code', 'object shape', 'regexp', 'synthetic', 'wasm object'],
]);
/** Edges that lead to what belongs to no object alone. */
const SHARED = new Set([
  'map',
  '__proto__',
  'prototype',
  'constructor',
  'shared',
  'feedback_cell',
  'code',
  'scope_info',
]);
/** Fields of a node. */
const [TYPE, NAME, SELF_SIZE, EDGES] = [0, 1, 3, 4];
const WORD_BYTES = 8;
/** Words of an entry in the table of a collection: what it has, and which entry of its bucket is next. */
const ENTRY_WORDS: Readonly<Record<string, number>> = { Map: 3, Set: 2 };
/** At the beginning of a table: its header, and three numbers. */
const TABLE_WORDS = 5;
const TABLE_NUMBERS = 3;
/** Of an empty table. */
const EMPTY_PLACES = 4;

/**
 * What can be reached from `root`, but not by way of objects of the classes `outside`. An entry of a collection counts under
 * the shortest way from the nearest object of a class to it, such as `HostPresence.#presence` or `Sender.#lines[].waiting`;
 * `[]` is any entry. What only a function holds begins with the function's name. Numbers are no nodes of a snapshot: of a Map
 * or Set that has nothing else it counts how much its table has grown, and an array's do not count.
 */
export async function heapContents(
  root: unknown,
  outside: readonly { readonly name: string }[],
): Promise<HeapContents> {
  const from = new HeapRoot(root);
  const parts: string[] = [];
  for await (const part of getHeapSnapshot({ exposeInternals: false, exposeNumericValues: true })) parts.push(part);
  const isOutside = new Set([...NOT_FOLLOWED, ...outside.map(({ name }) => name)]);
  return contentsOf(new Graph(JSON.parse(parts.join(''))), from.constructor.name, isOutside);
}

/** @param root the name of the class whose objects the search begins with */
function contentsOf(graph: Graph, root: string, isOutside: ReadonlySet<string>): HeapContents {
  const contents = new Map<string, number>();
  const count = (what: string, by: number) => by > 0 && contents.set(what, (contents.get(what) ?? 0) + by);
  const seen = new Set<number>();
  let level = new Map(graph.holders(root).map(node => [node, root]));
  while (level.size > 0) {
    for (const node of level.keys()) seen.add(node);
    const next = new Map<number, string>();
    for (const [node, label] of level) {
      count(label, graph.entries(node));
      const kind = graph.kindOf(node);
      if (kind !== undefined) count(kind, 1);
      for (const edge of graph.edges(node)) {
        if (seen.has(edge.to) || !graph.isFollowed(edge) || isOutside.has(graph.className(edge.to) ?? '')) continue;
        const own = graph.labelOf(node, label, edge);
        const other = next.get(edge.to);
        if (other === undefined || own < other) next.set(edge.to, own);
      }
    }
    level = next;
  }
  return contents;
}

interface Edge {
  readonly type: string;
  readonly name: string | number;
  readonly to: number;
}

class Graph {
  readonly #snapshot: HeapSnapshot;
  readonly #nodeFields: number;
  readonly #edgeFields: number;
  readonly #nodeTypes: readonly string[];
  readonly #edgeTypes: readonly string[];
  /** Where the edges of each node begin. */
  readonly #first: Uint32Array;

  constructor(snapshot: HeapSnapshot) {
    const { meta } = snapshot.snapshot;
    this.#snapshot = snapshot;
    this.#nodeFields = meta.node_fields.length;
    this.#edgeFields = meta.edge_fields.length;
    [this.#nodeTypes] = meta.node_types;
    [this.#edgeTypes] = meta.edge_types;
    this.#first = new Uint32Array(snapshot.nodes.length / this.#nodeFields);
    let first = 0;
    for (const node of this.#first.keys()) {
      this.#first[node] = first;
      first += this.#field(node, EDGES);
    }
  }

  /** Objects of the class, and not its prototype. */
  holders(className: string): readonly number[] {
    return [...this.#first.keys()].filter(
      node => this.className(node) === className && this.edges(node).some(({ name }) => name === 'holds'),
    );
  }

  /** What it is one of, beside an entry; undefined: nothing that is counted. */
  kindOf(node: number): string | undefined {
    const className = this.className(node);
    if (className !== undefined) return PLAIN.has(className) ? undefined : `objects of ${className}`;
    return this.#name(node).endsWith('PromiseReaction') ? 'who waits for promises' : undefined;
  }

  /** Undefined: it is no object of the program. */
  className(node: number): string | undefined {
    const name = this.#name(node);
    return this.#type(node) === 'object' && !name.startsWith('system / ') ? name : undefined;
  }

  edges(node: number): readonly Edge[] {
    const { edges, strings } = this.#snapshot;
    return Array.from({ length: this.#field(node, EDGES) }, (_, index) => {
      const at = ((this.#first[node] ?? 0) + index) * this.#edgeFields;
      const type = this.#edgeTypes[edges[at] ?? 0] ?? '';
      const named = edges[at + 1] ?? 0;
      const text = type === 'element' || type === 'hidden' ? named : (strings[named] ?? '');
      return { type, name: text, to: (edges[at + 2] ?? 0) / this.#nodeFields };
    });
  }

  isFollowed({ type, name, to }: Edge): boolean {
    if (type === 'weak' || type === 'shortcut' || SHARED.has(String(name)) || ATOMS.has(this.#type(to))) return false;
    return !/^system \/ (NativeContext|Map|Oddball|SharedFunctionInfo|ScopeInfo|Script)|^Window|^global/.test(
      this.#name(to),
    );
  }

  /** Where what an edge leads to is. */
  labelOf(node: number, label: string, { type, name }: Edge): string {
    const className = this.className(node);
    const from =
      className !== undefined && !PLAIN.has(className)
        ? className
        : this.#type(node) === 'closure'
          ? `${this.#name(node) || label}()`
          : label;
    if (type === 'property' || type === 'context') return `${from}.${name}`;
    return /^\d+$/.test(String(name)) && type !== 'hidden' ? `${from}[]` : from;
  }

  /** Of a collection; 0: it is none. */
  entries(node: number): number {
    const edges = this.edges(node);
    switch (this.className(node)) {
      case 'Array':
        return edges.filter(({ type }) => type === 'element').length;
      case 'Object':
        return 1 + this.#entriesOfObject(edges);
      case 'Map':
      case 'Set': {
        const table = edges.find(({ name }) => name === 'table');
        return table === undefined ? 0 : this.#entriesOfTable(table.to, ENTRY_WORDS[this.#name(node)] ?? 0);
      }
      default:
        return 0;
    }
  }

  /** Of one that is used as a dictionary, as its engine sees it. */
  #entriesOfObject(edges: readonly Edge[]): number {
    const properties = edges.find(({ name }) => name === 'properties');
    const isDictionary = properties !== undefined && this.#type(properties.to) === 'array';
    return edges.filter(
      ({ type, name }) => type === 'element' || (isDictionary && type === 'property' && !SHARED.has(String(name))),
    ).length;
  }

  /** Deleted entries hold nothing. A table has half as many buckets as places. */
  #entriesOfTable(table: number, words: number): number {
    const places = (this.#field(table, SELF_SIZE) / WORD_BYTES - TABLE_WORDS) / (words + 0.5);
    const begin = TABLE_NUMBERS + places / 2;
    const taken = new Set<number>();
    for (const { name } of this.edges(table)) {
      const word = Number(name) - begin;
      if (word >= 0) taken.add(Math.floor(word / words));
    }
    return taken.size > 0 ? taken.size : places - EMPTY_PLACES;
  }

  #type(node: number): string {
    return this.#nodeTypes[this.#field(node, TYPE)] ?? '';
  }

  #name(node: number): string {
    return this.#snapshot.strings[this.#field(node, NAME)] ?? '';
  }

  #field(node: number, field: number): number {
    return this.#snapshot.nodes[node * this.#nodeFields + field] ?? 0;
  }
}
