import { withinLimit } from '../lib/abort.js';
import type { Clock } from '../lib/clock.js';
import { reasonOf } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';
import { peerText } from '../lib/text/peer-text.js';
import { encodeJson, LIMITS } from '../protocol/index.js';
import type { Progress } from './commands/progress.js';
import { objectionToFields } from './resources/answer-check.js';
import type { PingReport, Resource } from './resources/resource.js';

/** What pings say beside that the agent is alive. */
export interface PingSays {
  /** What the resource adds; undefined when it adds nothing. It never rejects. */
  readonly report: (() => Promise<PingReport>) | undefined;
  /** How far commands are. */
  progress(): readonly Progress[];
}

export interface PingReportParts {
  readonly resource: Resource;
  readonly clock: Clock;
  readonly log: Log;
}

/** Fields of a ping that are the agent's. */
const OWN: ReadonlySet<string> = new Set([
  ...['hostType', 'hostId', 'outOfBand', 'commandInfos', 'muster', 'contextMap', 'wait', 'bypassHostMaintenance'],
]);

/** How the resource's reports are got. One that is late, large or none is left out, and said once for each reason. */
export function pingReportOf({ resource, clock, log }: PingReportParts): PingSays['report'] {
  if (resource.ping === undefined) return undefined;
  let lastFailure: string | undefined;
  const late = () => {
    throw new Error(`there was none within ${LIMITS.pingReportMs / 1000} s`);
  };
  return async () => {
    try {
      const report = await withinLimit(clock, LIMITS.pingReportMs, async () => resource.ping?.(), late);
      const fields = checked(report);
      lastFailure = undefined;
      return fields;
    } catch (error) {
      const reason = peerText(reasonOf(error));
      if (reason !== lastFailure) {
        log.warn('The resource has failed to report: pings go without its report', { resource: resource.name, reason });
      }
      lastFailure = reason;
      return {};
    }
  };
}

function checked(report: unknown): PingReport {
  if (typeof report !== 'object' || report === null || Array.isArray(report)) throw new TypeError('it is no object');
  const fields = Object.fromEntries(Object.entries(report).filter(([name]) => !OWN.has(name)));
  const objection = objectionToFields(fields);
  if (objection !== undefined) throw new TypeError(objection);
  const text = encodeJson(fields);
  if (Buffer.byteLength(text) > LIMITS.pingReportBytes) {
    throw new RangeError(`it has more than ${LIMITS.pingReportBytes} bytes`);
  }
  return fields;
}
