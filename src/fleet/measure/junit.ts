import { xmlText } from '../../lib/text/xml-text.js';
import type { Verdict } from './expectations.js';

/** One test for each expectation, as JUnit's XML, which programs that run tests read. @param seconds how long the run took */
export function junitOf(verdicts: readonly Verdict[], seconds: number): string {
  const failures = verdicts.filter(({ isMet }) => !isMet).length;
  const counts = `tests="${verdicts.length}" failures="${failures}" errors="0" time="${seconds.toFixed(3)}"`;
  const cases = verdicts.map(({ key, text, isMet, found }) => {
    const name = `    <testcase classname="muster-fleet" name="${xmlText(`${key}=${text}`)}"`;
    if (isMet) return `${name}/>`;
    return `${name}>\n      <failure message="${xmlText(`found: ${found}`)}"/>\n    </testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="muster-fleet" ${counts}>`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}
