import fc from 'fast-check';
import { parse } from 'lossless-json';
import { decodeBody, encodeBody, receivedFields } from '../../src/protocol/body.js';
import { ProtocolError } from '../../src/protocol/errors.js';
import { FLAG } from '../../src/protocol/header.js';
import { decodeJson, encodeJson } from '../../src/protocol/json.js';
import { BEFORE_READY, readyLimits } from '../../src/protocol/packet-limits.js';
import { property } from '../helpers/property.js';

const HEADER = { version: 0, flags: 0, sequence: 1n, contentLength: 0, mgmtId: -1n, agentId: 1n, via: 1n };

/** What a peer may put into a field. */
const json = fc.json({ depthSize: 'small', noUnicodeString: false });
const numberText = fc.stringMatching(/^-?(0|[1-9]\d{0,40})(\.\d{1,30})?([eE][+-]?\d{1,4})?$/);
/** Pieces of JSON in any order: mostly broken. */
const pieces = fc
  .array(
    fc.oneof(
      fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', '"a"', 'true', 'null', ' ', '-', '.', 'e'),
      numberText,
    ),
    {
      maxLength: 40,
    },
  )
  .map(parts => parts.join(''));
const fields = fc.dictionary(
  fc.string({ unit: 'binary' }),
  fc.jsonValue({ depthSize: 'small', noUnicodeString: false }),
);
const messages = fc.array(fc.record({ type: fc.string({ minLength: 1 }), fields }), { maxLength: 5 });

function outcome(read: () => unknown): string {
  try {
    return encodeJson(read());
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

property('bodies: what decodeJson takes and refuses is what JSON.parse does', fc.oneof(json, pieces), text => {
  let isJson = true;
  try {
    JSON.parse(text);
  } catch {
    isJson = false;
  }
  return (outcome(() => decodeJson(text)) !== 'BODY_JSON') === isJson;
});

property(
  'bodies: no number loses a digit, wherever it stands',
  fc.array(numberText, { minLength: 1, maxLength: 20 }),
  texts => {
    for (const text of [`[${texts}]`, `{${texts.map((number, index) => `"k${index}":${number}`)}}`]) {
      if (encodeJson(decodeJson(text)) !== text) return false;
    }
    return texts.every(text => encodeJson(decodeJson(text)) === text);
  },
);

property('bodies: decodeJson reads what a lossless parser reads', json, text => {
  const lossless = encodeJson(parse(text, null, { onDuplicateKey: ({ newValue }) => newValue }));
  // A whole text that is a number is printed by the lossless parser as it stands.
  return encodeJson(decodeJson(text)) === lossless;
});

property(
  'bodies: no text is decoded in more than it has, and none throws anything else',
  fc.string({ unit: 'binary' }),
  text => {
    outcome(() => decodeJson(text));
  },
);

property(
  'bodies: any bytes are messages or a ProtocolError',
  fc.tuple(fc.uint8Array({ maxLength: 200 }), fc.boolean(), fc.integer()),
  ([bytes, isPacked, contentLength]) => {
    const header = { ...HEADER, flags: isPacked ? FLAG.gzip : 0, contentLength };
    outcome(() => decodeBody(header, Buffer.from(bytes), BEFORE_READY));
  },
);

property(
  'bodies: messages come back from what encodeBody has written, gzipped or not',
  fc.tuple(messages, fc.boolean()),
  ([sent, isPacked]) => {
    const { body, contentLength, packed } = encodeBody(sent, isPacked);
    const header = { ...HEADER, flags: packed ? FLAG.gzip : 0, contentLength };
    return encodeJson(decodeBody(header, body)) === encodeJson(sent);
  },
);

property('bodies: the text of received fields is that of the fields', messages, sent => {
  const text = JSON.stringify(
    sent.map(({ type, fields }) => ({ [type]: fields })),
    null,
    1,
  );
  const received = decodeBody({ ...HEADER, contentLength: text.length }, Buffer.from(text));
  return received.every(message => {
    const raw = receivedFields(message)?.text ?? '';
    return encodeJson(decodeJson(raw)) === encodeJson(message.fields);
  });
});

property(
  'bodies: what is written within bounds is read within them',
  fc.tuple(messages, fc.nat(60), fc.nat(400)),
  ([sent, values, bytes]) => {
    const limits = { bytes, values };
    let body: Buffer;
    try {
      ({ body } = encodeBody(sent, false, limits));
    } catch (error) {
      return error instanceof ProtocolError && error.code === 'BODY_TOO_LARGE';
    }
    decodeBody({ ...HEADER, contentLength: body.length }, body, limits);
    decodeBody({ ...HEADER, contentLength: body.length }, body, readyLimits());
    return true;
  },
);
