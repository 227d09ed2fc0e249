import type { Test } from 'tap';

/** What is right and does not hold yet: a todo, which `MUSTER_KNOWN_FAULTS=1 npx tap test/known-faults` runs as an ordinary test. */
export function knownFault(t: Pick<Test, 'test'>, name: string, fn: (t: Test) => unknown): void {
  const isRun = process.env.MUSTER_KNOWN_FAULTS === '1';
  t.test(name, isRun ? {} : { todo: 'known fault' }, fn);
}
