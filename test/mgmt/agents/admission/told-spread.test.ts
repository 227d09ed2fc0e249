import t from 'tap';
import { ToldSpread } from '../../../../src/mgmt/agents/admission/told-spread.js';

t.test('told spread: an agent is told another one when it differs from what it knows', async t => {
  let spreadMs = 4_000;
  const told = new ToldSpread({ spreadMs: () => spreadMs });
  t.equal(told.tellIfOther(), undefined, 'one of CloudStack, which was told none');
  t.equal(told.tell(), 4_000);
  t.equal(told.tellIfOther(), undefined);
  spreadMs = 5_000;
  t.equal(told.tellIfOther(), undefined, 'a quarter more is the same');
  spreadMs = 5_100;
  t.equal(told.tellIfOther(), 5_100);
  t.equal(told.tellIfOther(), undefined, 'it knows');
  spreadMs = 4_000;
  t.equal(told.tellIfOther(), undefined, 'measured from what it was told last');
});
