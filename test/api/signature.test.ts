import { createHmac } from 'node:crypto';
import t from 'tap';
import { isSignedWith, sign } from '../../src/api/signature.js';
import { authenticate } from '../../src/mgmt/http/authentication.js';

/** What Debian's `cs` 2.7.1 signs, and its signature. */
const OF_CS = {
  command: 'listHosts',
  apiKey: 'KEY',
  response: 'json',
  name: 'kvm 1/ü~*[a]+',
  keyword: 'A=b&c',
  signatureVersion: '3',
  expires: '2026-11-22T09:00:00+0000',
  signature: '9WJaFL+W+icCbZSOwkCF8dafpvU=',
};
/** The same of the npm package csclient 0.6.4, which writes signatureversion. */
const OF_CSCLIENT = {
  command: 'listHosts',
  response: 'json',
  apiKey: 'KEY',
  signatureversion: '3',
  expires: '2026-11-22T09:00:00+0000',
  name: 'kvm 1~*.a+',
  signature: 'aUa5Mbl2ynUwjhI0yeBwGoYbASE=',
};
const BEFORE = Date.UTC(2026, 10, 22, 8, 59, 59);
const KEYS = { apiKey: 'KEY', secretKey: 'SECRET' };

const hmac = (text: string) => createHmac('sha1', 'SECRET').update(text).digest('base64');
const paramsOf = (object: Record<string, string>) => new Map(Object.entries(object));

t.test('signature: what clients that we did not write sign is verified', async t => {
  t.ok(isSignedWith(paramsOf(OF_CS), 'SECRET'), 'cs');
  t.ok(isSignedWith(paramsOf(OF_CSCLIENT), 'SECRET'), 'csclient');
});

t.test('signature: another secret, and any change of a parameter, is noticed', async t => {
  t.notOk(isSignedWith(paramsOf(OF_CS), 'SECRE'));
  const unnoticed = Object.keys(OF_CS).filter(name =>
    isSignedWith(paramsOf({ ...OF_CS, [name]: `${OF_CS[name as keyof typeof OF_CS]}x` }), 'SECRET'),
  );
  // Base64 decoders pass over what stands behind the padding.
  t.same(unnoticed, ['signature']);
  t.notOk(isSignedWith(paramsOf({ ...OF_CS, added: '1' }), 'SECRET'));
});

t.test('signature: our own client signs so that it is verified, whatever the characters', async t => {
  const params = paramsOf({ command: 'x', b: "~!*'()[]%+ ü中😀", A: '=&', a: '' });
  params.set('signature', sign(params, 'SECRET'));
  t.ok(isSignedWith(params, 'SECRET'));
});

t.test('signature: every way to encode what is debated is verified, and none else', async t => {
  const ways: string[] = [];
  for (const tilde of ['~', '%7e']) {
    for (const star of ['*', '%2a']) {
      for (const [open, close] of [
        ['[', ']'],
        ['%5b', '%5d'],
      ]) {
        ways.push(`${tilde}${star}${open}${close}%257e`);
      }
    }
  }
  const verifies = (value: string) => {
    const params = paramsOf({ command: 'x', v: '~*[]%7E', apiKey: 'K' });
    return isSignedWith(new Map([...params, ['signature', hmac(`apikey=k&command=x&v=${value}`)]]), 'SECRET');
  };
  t.same(ways.map(verifies), Array(8).fill(true));
  t.notOk(verifies('~*[]~'), 'a percent sign is no debated character');
});

t.test(
  'regression: of a long request only one encoding is tried, or one nobody has signed would cost too much',
  async t => {
    // Signed with all of the debated characters as they are, which a short request may be.
    const signedRaw = (value: string) =>
      new Map([
        ['a', value],
        ['signature', hmac(`a=${value}`)],
      ]);
    t.ok(isSignedWith(signedRaw('~*[]'), 'SECRET'));
    t.notOk(isSignedWith(signedRaw('~*[]'.repeat(16_000)), 'SECRET'));
    const own = new Map([['a', '~*[] '.repeat(16_000)]]);
    own.set('signature', sign(own, 'SECRET'));
    t.ok(isSignedWith(own, 'SECRET'), 'a long one that is signed as CloudStack does is verified');
  },
);

const RING = {
  find: (apiKey: string) =>
    apiKey === KEYS.apiKey
      ? { ...KEYS, id: '1', name: 'operator', role: 'operator' as const, created: 0, createdBy: null }
      : undefined,
};

t.test('authentication: right key, right signature, not expired', async t => {
  t.doesNotThrow(() => authenticate(paramsOf(OF_CS), RING, BEFORE));
  t.doesNotThrow(() => authenticate(paramsOf(OF_CSCLIENT), RING, BEFORE));
});

t.test('authentication: each thing that is wrong gets 401 and says which', async t => {
  const cases: [Record<string, string>, number, RegExp][] = [
    [{ ...OF_CS, signature: 'aaaa' }, BEFORE, /key or the signature/],
    [{ ...OF_CS, apiKey: 'other' }, BEFORE, /key or the signature/],
    [without(OF_CS, 'apiKey'), BEFORE, /apiKey is missing/],
    [without(OF_CS, 'signature'), BEFORE, /signature is missing/],
    [OF_CS, BEFORE + 1000, /expired/],
    [signed(without(OF_CS, 'expires')), BEFORE, /needs expires/],
    [signed({ ...OF_CS, expires: 'tomorrow' }), BEFORE, /no date/],
  ];
  for (const [params, now, text] of cases) {
    t.throws(() => authenticate(paramsOf(params), RING, now), { message: text });
  }
});

t.test('authentication: without signatureVersion 3 nothing expires, as in CloudStack', async t => {
  const old = signed({ ...without(OF_CS, 'signatureVersion'), expires: '1999-01-01T00:00:00+0000' });
  t.doesNotThrow(() => authenticate(paramsOf(old), RING, BEFORE));
});

function without(object: Record<string, string>, name: string): Record<string, string> {
  const { [name]: _gone, ...rest } = object;
  return rest;
}

function signed(object: Record<string, string>): Record<string, string> {
  return { ...object, signature: sign(paramsOf(object), KEYS.secretKey) };
}
