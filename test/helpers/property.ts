import fc from 'fast-check';
import t from 'tap';

/** Of a run of its own, as `npm run fuzz` makes: other seeds, more cases. */
const SEED = process.env.MUSTER_SEED;
const RUNS = process.env.MUSTER_RUNS;

/** The seed of a random test: its own, or that of a longer run. */
export function seedFor(own: number): number {
  return SEED === undefined ? own : Number(SEED);
}

/**
 * Tests that something holds for all values of a kind. The test's name has the seed: `MUSTER_SEED` and `MUSTER_RUNS`
 * repeat a run, and fast-check prints the smallest value for which it does not hold.
 * @param holds throws, or returns false, when it does not
 */
export function property<T>(name: string, values: fc.Arbitrary<T>, holds: (value: T) => unknown, runs = 300): void {
  const seed = seedFor(seedOf(name));
  const numRuns = RUNS === undefined ? runs : Number(RUNS);
  t.test(`property: ${name} (seed ${seed}, ${numRuns} runs)`, async t => {
    const outcome = fc.check(
      fc.property(values, value => holds(value) !== false),
      { seed, numRuns },
    );
    const { failed, counterexample, errorInstance } = outcome;
    t.notOk(failed, failed ? `${fc.stringify(counterexample)}: ${errorInstance}` : name);
  });
}

/** The same for each run of one test, and another one for each test. */
function seedOf(name: string): number {
  let hash = 0;
  for (const c of name) hash = (Math.imul(hash, 31) + (c.codePointAt(0) ?? 0)) | 0;
  return Math.abs(hash);
}
