import t from 'tap';
import { type LinkEffect, type LinkState, next } from '../../../../src/mgmt/cluster/links/link-state.js';
import { seededRandom } from '../../../helpers/seeded-random.js';

const RUNS = 2_000;

/** A connection between the two, and which of them has dialled it. */
interface Wire {
  readonly dialler: Side;
  readonly name: string;
  isOpen: boolean;
}

interface Side {
  readonly msid: number;
  readonly run: string;
  state: LinkState<Wire>;
}

/** Two servers and a network that delivers in any order what it delivers in order on one connection. */
function play(seed: number): string | undefined {
  const random = seededRandom(seed);
  const one: Side = { msid: 1, run: 'run 1', state: { kind: 'idle' } };
  const two: Side = { msid: 2, run: 'run 2', state: { kind: 'idle' } };
  const other = (side: Side) => (side === one ? two : one);
  const queues = new Map<string, (() => void)[]>();
  const later = (queue: string, work: () => void) => {
    queues.set(queue, [...(queues.get(queue) ?? []), work]);
  };
  let serial = 0;
  let now = 0;

  const step = (side: Side, event: Parameters<typeof next<Wire>>[1]) => {
    const { state, effects } = next(side.state, event, { ownMsid: side.msid, peerMsid: other(side).msid, now });
    side.state = state;
    for (const effect of effects) perform(side, effect);
  };
  const close = (side: Side, wire: Wire) => {
    if (!wire.isOpen) return;
    wire.isOpen = false;
    step(side, { kind: 'ended', link: wire });
    later(`${wire.name} from ${side.msid}`, () => step(other(side), { kind: 'ended', link: wire }));
  };
  const says = (side: Side, wire: Wire, heard: () => void) => {
    if (wire.isOpen) later(`${wire.name} from ${side.msid}`, heard);
  };
  const perform = (side: Side, effect: LinkEffect<Wire>) => {
    const peer = other(side);
    switch (effect.kind) {
      case 'dial': {
        const wire = { dialler: side, name: `${side.msid}/${++serial}`, isOpen: true };
        later(`dial of ${side.msid}`, () =>
          random.int(4) === 0 ? step(side, { kind: 'failed' }) : step(side, { kind: 'secured', link: wire }),
        );
        break;
      }
      case 'greet':
        says(side, effect.link, () => step(peer, { kind: 'offered', link: effect.link, runId: side.run }));
        break;
      case 'welcome':
        says(side, effect.link, () => step(peer, { kind: 'accepted', link: effect.link, runId: side.run }));
        break;
      case 'refuse':
      case 'close':
        close(side, effect.link);
        break;
      case 'wait':
        later(`timer of ${side.msid}`, () => step(side, { kind: 'due' }));
        break;
      case 'abandon dial':
      case 'probe':
      case 'opened':
      case 'lost':
    }
  };

  for (const side of [one, two]) later(`need of ${side.msid}`, () => step(side, { kind: 'need' }));
  for (let steps = 0; steps < 2_000; steps++) {
    const waiting = [...queues].filter(([, queue]) => queue.length > 0);
    const [name, queue] = waiting[random.int(Math.max(1, waiting.length))] ?? ['', []];
    if (name === '') break;
    now += 10;
    queue.shift()?.();
  }
  const links = [one, two].map(({ state }) => (state.kind === 'open' ? state.link : undefined));
  const [first, second] = links;
  if (first !== undefined && first === second && first.isOpen) return undefined;
  return `seed ${seed}: ${one.state.kind} ${first?.name}, ${two.state.kind} ${second?.name}`;
}

t.test(`link state: however two servers open a link to each other, one is left (${RUNS} seeds)`, async t => {
  const wrong = Array.from({ length: RUNS }, (_, seed) => play(seed)).filter(what => what !== undefined);
  t.same(wrong.slice(0, 5), []);
});

t.test('link state: a process that was started anew replaces the link of the former one', async t => {
  const state: LinkState<string> = { kind: 'open', failures: 0, link: 'old', runId: 'run 1', since: 0 };
  const env = { ownMsid: 1, peerMsid: 2, now: 5 };
  t.match(next(state, { kind: 'offered', link: 'new', runId: 'run 2' }, env), {
    state: { kind: 'open', link: 'new', runId: 'run 2' },
    effects: [{ kind: 'close', link: 'old' }, { kind: 'lost' }, { kind: 'welcome', link: 'new' }, { kind: 'opened' }],
  });
  t.match(next(state, { kind: 'offered', link: 'new', runId: 'run 1' }, env), {
    state: { link: 'old' },
    effects: [
      { kind: 'refuse', link: 'new' },
      { kind: 'probe', link: 'old' },
    ],
  });
});

t.test('link state: a link that held is opened again at once, one that did not later and later', async t => {
  const env = (now: number) => ({ ownMsid: 1, peerMsid: 2, now });
  const open = (failures: number): LinkState<string> => ({ kind: 'open', failures, link: 'x', runId: 'r', since: 0 });
  t.match(next(open(7), { kind: 'ended', link: 'x' }, env(60_000)), { state: { kind: 'waiting', failures: 1 } });
  t.match(next(open(7), { kind: 'ended', link: 'x' }, env(1_000)), { state: { kind: 'waiting', failures: 8 } });
  t.match(next(open(7), { kind: 'ended', link: 'another' }, env(1_000)), { state: { kind: 'open' }, effects: [] });
  t.match(next(open(7), { kind: 'gone' }, env(1_000)), { state: { kind: 'idle' } });
});
