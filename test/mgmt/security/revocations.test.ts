import t from 'tap';
import { canonicalSerial, Revocations } from '../../../src/mgmt/security/revocations.js';
import { type Revocation, ROWS_A_PAGE } from '../../../src/mgmt/store/store.js';

/** A store with so many revocations, with the serials 1, 2, 3 and so on in hex. */
function storeWith(count: number) {
  const asked: number[] = [];
  return {
    asked,
    count,
    async revocations(after: number): Promise<readonly Revocation[]> {
      asked.push(after);
      const length = Math.min(ROWS_A_PAGE, this.count - after);
      return Array.from({ length }, (_, i) => ({ id: after + i + 1, serial: (after + i + 1).toString(16) }));
    },
  };
}

t.test('revocations: a serial number is one, however it is written', async t => {
  for (const [text, serial] of [
    ['4f01', '4f01'],
    ['4F:01', '4f01'],
    ['0x4F01', '4f01'],
    ['00 4f 01', '4f01'],
    ['0', ''],
    ['not hex', 'nothex'],
  ] as const) {
    t.equal(canonicalSerial(text), serial, text);
  }
});

t.test('revocations: what is new is read when the counter says so, and once', async t => {
  const store = storeWith(2);
  const revocations = new Revocations(store);
  t.equal(revocations.has('1'), false, 'nothing was read');
  t.equal(await revocations.follow(0), false);
  t.strictSame(store.asked, [], 'there is nothing to read');
  t.equal(await revocations.follow(2), true);
  t.strictSame([revocations.has('1'), revocations.has('2'), revocations.has('3')], [true, true, false]);
  const asked = store.asked.length;
  t.equal(await revocations.follow(2), false);
  t.equal(store.asked.length, asked, 'it is read once');
  store.count = 3;
  t.equal(await revocations.follow(3), true);
  t.equal(store.asked[asked], 2, 'from where it was');
  t.equal(revocations.has('3'), true);
});

t.test('revocations: all pages are read; where the store fails between them, it goes on from there', async t => {
  const store = storeWith(2 * ROWS_A_PAGE + 1);
  const revocations = new Revocations(store);
  t.equal(await revocations.follow(store.count), true);
  t.equal(revocations.has(store.count.toString(16)), true);
  const failing = storeWith(5);
  const others = new Revocations({ revocations: () => Promise.reject(new Error('away')) });
  await t.rejects(others.follow(5), { message: 'away' });
  t.equal(others.has('1'), false);
  const late = new Revocations(failing);
  t.equal(await late.follow(3), true, 'more may be there than the counter said');
  t.equal(late.has('5'), true);
  t.equal(await late.follow(5), false);
});
