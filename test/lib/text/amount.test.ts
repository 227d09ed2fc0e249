import t from 'tap';
import { amount, amountThat } from '../../../src/lib/text/amount.js';

t.test('amount: one is no plural, and thousands are set apart', async t => {
  t.same([amount(0, 'host'), amount(1, 'host'), amount(3_312, 'agent')], ['0 hosts', '1 host', '3,312 agents']);
  const have = (count: number) => amountThat(count, 'agent', ['has', 'have']);
  t.same([have(1), have(2)], ['1 agent has', '2 agents have']);
});
