import fc from 'fast-check';
import { HOST_LIST_MAX, parseHostList, readHostList } from '../../src/lib/address.js';
import { PEER_TEXT_LENGTH, peerText } from '../../src/lib/text/peer-text.js';
import { fullBucket, takeFrom, untilPaid } from '../../src/lib/token-bucket.js';
import { formatHostList, isSameList, parseReportedList, splitHostList } from '../../src/protocol/host-list.js';
import { MemoryBudget } from '../../src/protocol/memory-budget.js';
import { property } from '../helpers/property.js';

const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
const algorithm = fc.option(fc.constantFrom('static', 'roundrobin', 'shuffle'), { nil: undefined });

property(
  'host lists: one that was written is read again',
  fc.tuple(fc.uniqueArray(host, { minLength: 1, maxLength: 20 }), algorithm),
  ([texts, name]) => {
    const { hosts } = readHostList(texts.join());
    const list = { hosts, algorithm: name };
    const text = formatHostList(list);
    const split = splitHostList(text);
    return (
      parseHostList(split.hosts).join() === hosts.join() &&
      split.algorithm === name &&
      isSameList(parseReportedList(text), list)
    );
  },
);

property(
  'host lists: of any text what is usable is used, and reading it again changes nothing',
  fc.oneof(fc.string({ unit: 'binary' }), fc.array(fc.oneof(host, fc.string()), { maxLength: 400 }).map(String)),
  text => {
    const { hosts } = readHostList(text);
    const again = hosts.length === 0 ? [] : parseHostList(hosts.join());
    return hosts.length <= HOST_LIST_MAX && new Set(hosts).size === hosts.length && again.join() === hosts.join();
  },
);

property(
  'host lists: an agent that reports a list has no longer one',
  fc.tuple(fc.array(host, { maxLength: 8 }), fc.array(host, { minLength: 1, maxLength: 4 }), algorithm),
  ([reported, wanted, name]) => {
    const isSame = isSameList({ hosts: reported, algorithm: name }, { hosts: wanted, algorithm: name });
    return !isSame || reported.length === wanted.length;
  },
);

property(
  'peer text: it is short, visible, and cleaning it again changes nothing',
  fc.string({ unit: 'binary', maxLength: 600 }),
  text => {
    const cleaned = peerText(text);
    return (
      cleaned.length <= PEER_TEXT_LENGTH &&
      !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(cleaned) &&
      peerText(cleaned) === cleaned
    );
  },
);

const rate = fc.record({
  perSecond: fc.integer({ min: 1, max: 2 ** 20 }),
  burst: fc.integer({ min: 1, max: 2 ** 23 }),
});
const takings = fc.array(fc.tuple(fc.nat(100_000), fc.nat(10_000)), { maxLength: 60 });

property(
  'token bucket: who waits as long as it says never gets more than the rate',
  fc.tuple(rate, takings),
  ([rate, asked]) => {
    let now = 0;
    let bucket = fullBucket(rate, now);
    let taken = 0;
    for (const [amount, restMs] of asked) {
      now += restMs + untilPaid(bucket, rate, now + restMs);
      if (taken > rate.burst + (now / 1_000) * rate.perSecond + 1e-6) return false;
      bucket = takeFrom(bucket, amount, rate, now);
      taken += amount;
    }
    return true;
  },
);

const steps = fc.array(fc.tuple(fc.nat(5), fc.constantFrom('take', 'give', 'ready', 'close'), fc.nat(60)), {
  maxLength: 80,
});

property('memory budget: the shares hold, and who has ended holds nothing', steps, steps => {
  const budget = new MemoryBudget({ beforeReady: 100, ready: 150 });
  const ended = new Set<number>();
  const accounts = Array.from({ length: 6 }, (_, index) => budget.open(() => ended.add(index)));
  for (const [index, step, bytes] of steps) {
    const account = accounts[index];
    if (account === undefined) continue;
    const largest = Math.max(...accounts.map(other => other.bytes), account.bytes + bytes);
    const before = ended.size;
    if (step === 'take') account.take(bytes);
    else if (step === 'give') account.give(Math.min(bytes, account.bytes));
    else if (step === 'ready') account.becomeReady();
    else account.close();
    const held = accounts.reduce((sum, other) => sum + other.bytes, 0);
    if (budget.taken !== held || held > 250 || largest < 0) return false;
    if (step !== 'take' && step !== 'ready' && ended.size > before) return false;
    if ([...ended].some(one => accounts[one]?.bytes !== 0)) return false;
  }
  for (const account of accounts) account.close();
  return budget.taken === 0;
});
