import t from 'tap';
import {
  type Liveness,
  type LivenessEffect,
  type LivenessEvent,
  type LivenessRules,
  nextLook,
  observe,
  startLiveness,
} from '../../src/agent/liveness.js';

const RULES: LivenessRules = { intervalMs: 60_000, answerTimeoutMs: 15_000, retries: 5 };

/** Plays a link's liveness by a clock of its own, and writes down what is to be done, and when. */
class Play {
  now = 0;
  liveness: Liveness;
  readonly rules: LivenessRules;
  readonly done: [at: number, what: LivenessEffect['kind']][] = [];

  constructor(rules: Partial<LivenessRules> = {}) {
    this.rules = { ...RULES, ...rules };
    this.liveness = startLiveness(0, this.rules);
  }

  /** All looks until then; `answer` says what comes of an effect, at once. */
  to(time: number, answer: (effect: LivenessEffect) => LivenessEvent['kind'] | undefined = () => undefined): this {
    for (let due = nextLook(this.liveness); due <= time; due = nextLook(this.liveness)) {
      this.now = Math.max(due, this.now);
      for (const effect of this.on('tick')) {
        const event = answer(effect);
        if (event !== undefined) this.on(event);
        if (effect.kind === 'give-up') return this;
      }
    }
    this.now = time;
    return this;
  }

  on(kind: LivenessEvent['kind']): readonly LivenessEffect[] {
    const { liveness, effects } = observe(this.liveness, { kind }, this.now, this.rules);
    this.liveness = liveness;
    for (const effect of effects) this.done.push([this.now, effect.kind]);
    return effects;
  }
}

t.test('liveness: the first ping comes one interval after the StartupAnswer, then one each interval', async t => {
  const play = new Play().to(185_000, effect => (effect.kind === 'ping' ? 'ping-answered' : undefined));
  t.same(play.done, [
    [60_000, 'ping'],
    [120_000, 'ping'],
    [180_000, 'ping'],
  ]);
});

t.test('liveness: a silent server is asked after at the kernel, then suspect, and again while it lasts', async t => {
  const play = new Play().to(106_000);
  t.same(play.done, [
    [60_000, 'ping'],
    [63_000, 'ask-kernel'],
    [75_000, 'suspect'],
    [90_000, 'suspect'],
    [105_000, 'suspect'],
  ]);
});

t.test('liveness: what is unacknowledged makes it suspect at once', async t => {
  const play = new Play().to(63_000, effect => (effect.kind === 'ask-kernel' ? 'unacknowledged' : undefined));
  t.same(play.done, [
    [60_000, 'ping'],
    [63_000, 'ask-kernel'],
    [63_000, 'suspect'],
  ]);
});

t.test('liveness: what the kernel says too late is of no interest', async t => {
  const play = new Play().to(64_000);
  play.on('ping-answered');
  t.same(play.on('unacknowledged'), []);
});

t.test('liveness: any packet, or the answer, clears a suspicion', async t => {
  for (const event of ['heard', 'ping-answered'] as const) {
    const play = new Play().to(76_000);
    t.same(play.on(event), [{ kind: 'cleared' }], event);
    t.same(play.on(event), [], 'once');
    play.to(119_999);
    t.equal(play.done.length, 4, 'and nothing more until the next ping');
  }
});

t.test('liveness: a packet shows that the server lives, but does not answer a ping', async t => {
  const play = new Play({ retries: 2 }).to(61_000);
  play.on('heard');
  play.to(121_000);
  play.on('heard');
  t.same(play.to(400_000).done.at(-1), [180_000, 'give-up']);
});

t.test('liveness: the link is given up when ping.retries pings are unanswered', async t => {
  for (const retries of [1, 5]) {
    const play = new Play({ retries }).to(1_000_000);
    t.same(play.done.at(-1), [(retries + 1) * 60_000, 'give-up']);
    t.equal(play.done.filter(([, what]) => what === 'ping').length, retries);
  }
});

t.test('liveness: one answer makes good for all pings before it', async t => {
  const play = new Play({ retries: 2 }).to(125_000);
  play.on('ping-answered');
  play.to(239_000);
  t.equal(play.done.filter(([, what]) => what === 'give-up').length, 0);
  t.equal(play.liveness.unanswered, 1);
});

t.test('liveness: an answer time-out below 3 s is kept to', async t => {
  const play = new Play({ answerTimeoutMs: 1_000 }).to(61_500);
  t.same(play.done, [
    [60_000, 'ping'],
    [61_000, 'ask-kernel'],
    [61_000, 'suspect'],
  ]);
});

t.test('liveness: pings more often than the time-out do not put it off', async t => {
  const play = new Play({ intervalMs: 5_000 }).to(20_000);
  t.same(
    play.done.filter(([, what]) => what === 'suspect'),
    [[20_000, 'suspect']],
  );
});

t.test(
  'liveness: a server that is silent for 10 s and then answers loses nobody, whenever it falls silent',
  async t => {
    const wrong: string[] = [];
    for (const intervalMs of [5_000, 60_000]) {
      for (let from = 50_000; from < 130_000; from += 500) {
        const play = new Play({ intervalMs });
        let waiting = false;
        const answer = (effect: LivenessEffect) => {
          // Its kernel acknowledges, so nothing is unacknowledged.
          if (effect.kind !== 'ping') return undefined;
          waiting = play.now >= from && play.now < from + 10_000;
          return waiting ? undefined : 'ping-answered';
        };
        play.to(from + 9_999, answer);
        play.now = from + 10_000;
        if (waiting) play.on('ping-answered');
        play.to(from + 200_000, answer);
        const lost = play.done.filter(([, what]) => what === 'suspect' || what === 'give-up');
        if (lost.length > 0) wrong.push(`interval ${intervalMs}, silent from ${from}: ${lost.join(' ')}`);
      }
    }
    t.same(wrong, []);
  },
);

t.test('liveness: a server that vanishes is noticed within 20 s, whenever that is', async t => {
  const late: string[] = [];
  let longest = 0;
  for (const intervalMs of [5_000, 60_000]) {
    for (let vanishesAt = 50_000; vanishesAt < 170_000; vanishesAt += 100) {
      const play = new Play({ intervalMs });
      let pingAfter = Number.POSITIVE_INFINITY;
      play.to(vanishesAt + 60_000, effect => {
        const isGone = play.now >= vanishesAt;
        if (effect.kind === 'ping' && isGone) pingAfter = Math.min(pingAfter, play.now);
        if (effect.kind === 'ping') return isGone ? undefined : 'ping-answered';
        return effect.kind === 'ask-kernel' && isGone ? 'unacknowledged' : undefined;
      });
      // Keepalive: the next probe within 5 s, ten more a second apart; it falls silent once a ping is unacknowledged.
      const probed = vanishesAt + 5_000 + 10_000 + 1_000;
      const keepalive = pingAfter < probed ? Number.POSITIVE_INFINITY : probed;
      const [suspectAt = Number.POSITIVE_INFINITY] =
        play.done.find(([at, what]) => what === 'suspect' && at >= vanishesAt) ?? [];
      const noticed = Math.min(keepalive, suspectAt) - vanishesAt;
      longest = Math.max(longest, noticed);
      if (noticed > 20_000) late.push(`interval ${intervalMs}, gone at ${vanishesAt}: ${noticed} ms`);
    }
  }
  t.same(late, []);
  t.ok(longest > 15_000, `the longest takes ${longest} ms: the test does meet the hard case`);
});

t.test(
  'liveness: after a stall of our own process, the answer that was waiting is read before the server is judged',
  async t => {
    const play = new Play().to(62_000);
    play.now = 200_000;
    t.same(play.on('ping-answered'), []);
    t.same(play.on('tick'), [{ kind: 'ping' }], 'one ping, not one for each interval that was slept through');
    t.equal(nextLook(play.liveness), 203_000);
  },
);
