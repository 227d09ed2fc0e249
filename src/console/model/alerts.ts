import type { ResponseObject } from '../../api/types.js';

export type Alert = ResponseObject<'listAlerts'>;

/** Kinds that the verdict would not tell by itself. */
const SERIOUS: ReadonlySet<string> = new Set(['guid-fight', 'drain-stuck']);

function kindOf({ subject }: Pick<Alert, 'subject'>): string {
  return subject.split(':')[0] ?? subject;
}

/** Those that nobody has silenced. */
export function audible(alerts: readonly Alert[]): readonly Alert[] {
  return alerts.filter(({ silencedto }) => !silencedto);
}

/** What of them belongs into the verdict, as sentences; '' when nothing does. */
export function seriousOf(alerts: readonly Alert[]): string {
  const [first, ...others] = audible(alerts).filter(alert => SERIOUS.has(kindOf(alert)));
  if (first === undefined) return '';
  const rest = others.length === 0 ? '' : ` And ${others.length} more of this weight: see the alerts.`;
  return `${first.description}.${rest}`;
}
