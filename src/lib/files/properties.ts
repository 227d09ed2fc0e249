import { propertiesReader } from 'properties-reader';

/**
 * Reads a Java .properties file, for reading and changing values. Everything that is not changed stays byte for byte.
 *
 * It reads as java.util.Properties does, with three exceptions for files edited by hand: unescaped blanks after a value
 * are not part of it, a byte order mark is skipped, and `\u` without four hex digits is a plain `u` (Java refuses the
 * file). An entry with an empty key is kept, and is no property.
 *
 * @param source the text, or the bytes of the file: in UTF-8, or in Latin-1 when they are not valid UTF-8. `toBytes`
 *   gives back the same encoding
 * @throws PropertiesError for bytes that are no text in these encodings
 */
export function parseProperties(source: string | Uint8Array): PropertiesDocument {
  if (typeof source === 'string') return new PropertiesDocument(source, 'utf8');
  // Written by an editor in UTF-16, or filled with zeros by a power failure.
  const [first, second] = source;
  if (source.includes(0) || (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw new PropertiesError('it is no text in UTF-8 or Latin-1 (UTF-16, perhaps)');
  }
  try {
    return new PropertiesDocument(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(source), 'utf8');
  } catch {
    return new PropertiesDocument(Buffer.from(source).toString('latin1'), 'latin1');
  }
}

/** The bytes are no text that a .properties file may have. */
class PropertiesError extends Error {
  override readonly name = 'PropertiesError';
  readonly code = 'PROPERTIES_ENCODING';
}

/** The lines and values of a .properties file. It does not change: `with` makes a new one. */
export class PropertiesDocument {
  readonly #encoding: 'utf8' | 'latin1';
  readonly #byteOrderMark: string;
  readonly #lines: readonly Line[];
  /** When a key occurs twice, the last value counts, as in Java. */
  readonly #values: ReadonlyMap<string, string>;

  constructor(text: string, encoding: 'utf8' | 'latin1') {
    this.#encoding = encoding;
    this.#byteOrderMark = BYTE_ORDER_MARK.exec(text)?.[0] ?? '';
    this.#lines = logicalLines(text.slice(this.#byteOrderMark.length)).map(readLine);
    this.#values = new Map(this.#lines.flatMap(({ entry }) => (entry ? [[entry.key, entry.value]] : [])));
  }

  get(key: string): string | undefined {
    return this.#values.get(key);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  keys(): IterableIterator<string> {
    return this.#values.keys();
  }

  /** The line, from 1, on which the entry begins whose value counts; undefined when there is no such key. */
  lineOf(key: string): number | undefined {
    const at = this.#lines.findLastIndex(({ entry }) => entry?.key === key);
    if (at < 0) return undefined;
    const before = this.#lines.slice(0, at).map(({ raw }) => raw);
    return 1 + (before.join('').match(LINE_ENDS)?.length ?? 0);
  }

  /**
   * A new document with other values. A changed value replaces the last one of its key, and the key, blanks and
   * separator before it stay. New keys are added at the end. `undefined` removes every line of the key.
   */
  with(changes: ReadonlyMap<string, string | undefined>): PropertiesDocument {
    const lastOf = new Map(this.#lines.map(line => [line.entry?.key, line]));
    const lines = this.#lines.flatMap(line => {
      const { raw, entry } = line;
      if (entry === undefined || !changes.has(entry.key)) return [raw];
      const value = changes.get(entry.key);
      if (value === undefined) return [];
      if (lastOf.get(entry.key) !== line || entry.value === value) return [raw];
      return [entry.beforeValue + escapeValue(value) + entry.lineEnd];
    });
    const lineEnd = commonLineEnd(this.toString());
    for (const [key, value] of changes) {
      if (value === undefined || this.has(key)) continue;
      lines.push(ended(lines.pop() ?? '', lineEnd), `${escapeKey(key)}=${escapeValue(value)}${lineEnd}`);
    }
    return new PropertiesDocument(this.#byteOrderMark + lines.join(''), this.#encoding);
  }

  toString(): string {
    return this.#byteOrderMark + this.#lines.map(line => line.raw).join('');
  }

  /** The bytes of the file, in the encoding of the bytes that were read; in UTF-8 when text was read. */
  toBytes(): Uint8Array {
    return Buffer.from(this.toString(), this.#encoding);
  }
}

/** An entry with its continuation lines, or a comment or blank line, which has no `entry`. */
interface Line {
  /** With its line end. */
  readonly raw: string;
  readonly entry?: Entry;
}

interface Entry {
  readonly key: string;
  readonly value: string;
  /** The indentation, the key and the separator, as they are in the file. A value follows. */
  readonly beforeValue: string;
  readonly lineEnd: string;
}

const LINE_ENDS = /\r\n?|\n/g;
/** The second form is the byte order mark of UTF-8 in Latin-1. */
const BYTE_ORDER_MARK = /^(?:\uFEFF|\xEF\xBB\xBF)/;
const CONTINUATION = String.raw`\\(?:\r\n?|\n)[ \t\f]*`;
const CONTINUATIONS = new RegExp(CONTINUATION, 'g');
const LAST_CONTINUATIONS = new RegExp(`(?:${CONTINUATION})+$`);
/** Indentation, then the key, then the separator; the rest is the value. */
const BEFORE_VALUE = new RegExp(
  String.raw`^[ \t\f]*((?:${CONTINUATION}|\\[^\r\n]|[^\\=: \t\f\r\n])*)` +
    String.raw`((?:${CONTINUATION}|[ \t\f])*(?:[=:](?:${CONTINUATION}|[ \t\f])*)?)`,
);

function logicalLines(text: string): string[] {
  const lines: string[] = [];
  let open = false;
  for (const line of text.match(/[^\r\n]*(?:\r\n?|\n)|[^\r\n]+$/g) ?? []) {
    lines.push(open ? (lines.pop() ?? '') + line : line);
    // A line that is only a backslash is not continued: the next line may be a comment (Properties.LineReader).
    const standsAlone: boolean = !open && /^[ \t\f]*(?:[#!]|\\[\r\n]*$)/.test(line);
    open = !standsAlone && /(?<!\\)(?:\\\\)*\\[\r\n]*$/.test(line);
  }
  return lines;
}

function readLine(raw: string): Line {
  if (/^[ \t\f]*(?:[#!\r\n]|$)/.test(raw)) return { raw };
  const lineEnd = /(?:\r\n?|\n)$/.exec(raw)?.[0] ?? '';
  const content = raw.slice(0, raw.length - lineEnd.length);
  const [before = '', key = '', separator = ''] = BEFORE_VALUE.exec(content) ?? [];
  const [read] = propertiesReader()
    .read(`${forReader(key)}=${forReader(content.slice(before.length))}`)
    .entries();
  if (read === undefined) return { raw };
  const beforeValue = before.replace(LAST_CONTINUATIONS, '') + (separator === '' ? '=' : '');
  return { raw, entry: { key: fromReader(read[0]), value: fromReader(read[1]), beforeValue, lineEnd } };
}

const MEANINGS: ReadonlyMap<string, string> = new Map([
  ['t', '\t'],
  ['n', '\n'],
  ['r', '\r'],
  ['f', '\f'],
]);

/**
 * properties-reader has neither continuation lines nor Java's escapes, and treats `#`, `=`, `[x]` and blanks in its own
 * way. So it gets one line `key=value` in which all of these are `\uXXXX`, which it does not change.
 */
function forReader(text: string): string {
  return text
    .replace(CONTINUATIONS, '')
    .replace(/\\u([\da-fA-F]{4})|\\(.)|\\$|[#=]|[^\t\f -~]/gs, (found, hex?: string, escaped?: string) => {
      if (hex !== undefined) return `\\u${hex}`;
      if (escaped !== undefined) return unicodeEscape(MEANINGS.get(escaped) ?? escaped);
      return found === '\\' ? '' : unicodeEscape(found);
    });
}

function fromReader(text: string): string {
  return text.replace(/\\u([\da-fA-F]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Writes ASCII only: java.util.Properties reads a file as Latin-1 or as UTF-8, depending on the program. */
function escapeValue(value: string): string {
  // A leading `=` or `:` would be read as the separator when that is a blank. Some editors would remove a last blank.
  return value.replace(/\\|^[=:]|^ | $|[^ -~]/g, escapeCharacter);
}

function escapeKey(key: string): string {
  if (key === '') throw new TypeError('a property needs a key');
  return key.replace(/[\\=:#! ]|[^ -~]/g, escapeCharacter);
}

function escapeCharacter(character: string): string {
  if (/[\\=:#!]/.test(character)) return `\\${character}`;
  for (const [letter, meaning] of MEANINGS) if (meaning === character) return `\\${letter}`;
  return unicodeEscape(character);
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** The line with line ends until the next text is a line of its own: after a last backslash, that takes two. */
function ended(line: string, lineEnd: string): string {
  let text = line;
  while (text !== '' && logicalLines(`${text}x`).length === 1) text += lineEnd;
  return text;
}

function commonLineEnd(text: string): string {
  const found = text.match(LINE_ENDS) ?? [];
  const count = (lineEnd: string) => found.filter(one => one === lineEnd).length;
  return ['\n', '\r\n', '\r'].reduce((best, other) => (count(other) > count(best) ? other : best));
}
