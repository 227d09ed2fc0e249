import t from 'tap';
import { PresentedCertificates } from '../../../src/mgmt/agents/presented-certificates.js';
import { ROWS_A_PAGE } from '../../../src/mgmt/store/store.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';

t.test(
  'presented certificates: the store is told of many at a time, of each once, and later if it is away',
  async t => {
    const told: (readonly string[])[] = [];
    let isAway = false;
    const certificates = new PresentedCertificates({
      clock: new FakeClock(),
      store: {
        async certificatesInstalled(serials) {
          if (isAway) throw new Error('away');
          told.push(serials);
        },
      },
    });
    await certificates.write();
    t.strictSame(told, [], 'nothing is written for nobody');
    for (const serial of ['a', 'b', 'a']) certificates.presented(serial);
    isAway = true;
    await t.rejects(certificates.write(), { message: 'away' });
    isAway = false;
    await certificates.write();
    await certificates.write();
    t.strictSame(told, [['a', 'b']]);
    for (let i = 0; i <= ROWS_A_PAGE; i++) certificates.presented(`${i}`);
    await certificates.write();
    t.strictSame(
      told.map(({ length }) => length),
      [2, ROWS_A_PAGE, 1],
    );
  },
);
