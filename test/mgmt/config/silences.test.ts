import t from 'tap';
import { lasting, parseSilences, silencedTo, silencesText } from '../../../src/mgmt/config/silences.js';

const AT = Date.parse('2026-11-28T14:00Z');
const MINUTE_MS = 60_000;

t.test('silences: of a kind, of a server, of one alert; the longest one counts', async t => {
  const silences = parseSilences(
    'guid-fight=2026-11-28T14:00Z, guid-fight:12=2026-11-28T14:05Z,server-down:9=2026-11-28T15:00Z',
  );
  t.equal(silencedTo(silences, 'guid-fight:1:ab', AT - 1), AT);
  t.equal(silencedTo(silences, 'guid-fight:1:ab', AT), undefined, 'it is over');
  t.equal(silencedTo(silences, 'guid-fight:12:ab', AT), AT + 5 * MINUTE_MS);
  t.equal(silencedTo(silences, 'server-down:91', AT), undefined, 'another server');
  t.equal(silencedTo(silences, 'server-down:9', AT), AT + 60 * MINUTE_MS);
  t.equal(silencedTo(silences, 'server-down', AT), undefined);
  t.same([...lasting(silences, AT).keys()], ['guid-fight:12', 'server-down:9']);
  t.strictSame(parseSilences(silencesText(silences)), silences);
});

t.test('silences: an end within a minute is kept as the end of the minute', async t => {
  t.equal(silencesText(new Map([['server-down', AT + 1]])), 'server-down=2026-11-28T14:01Z');
});

t.test('silences: what is none is refused', async t => {
  for (const text of [
    'server-up=2026-11-28T14:00Z',
    'server-down',
    'server-down=soon',
    'server-down:x=2026-11-28T14:00Z',
    'server-down:1:2:3=2026-11-28T14:00Z',
    'server-down=2026-11-28T14:00Z,server-down=2026-11-28T15:00Z',
    Array.from({ length: 101 }, (_, index) => `server-down:${index}=2026-11-28T14:00Z`).join(),
  ])
    t.throws(() => parseSilences(text), { name: 'ValueError' }, text.slice(0, 60));
});
