import type { Clock } from '../../lib/clock.js';
import { checkRange, invalidArgument } from '../../lib/operation-error.js';
import { PEER_TEXT_LENGTH, peerText } from '../../lib/text/peer-text.js';
import type { EventSink } from '../cluster/events.js';
import type { Configuration } from '../config/parameters.js';
import type { Ca } from '../security/ca.js';
import { newEnrollmentToken } from '../security/enrollment-token.js';
import type { EnrollmentTokenRow, Store } from '../store/store.js';

export interface EnrollmentOperationParts {
  readonly store: Pick<Store, 'createEnrollmentToken' | 'removeEnrollmentToken'>;
  readonly events: EventSink;
  readonly clock: Pick<Clock, 'wallTime'>;
  readonly ca: Pick<Ca, 'anchorFingerprint'>;
  configuration(): Configuration;
}

export interface CreateEnrollmentTokenArguments {
  /** The name of the zone that its hosts are to be in. @default any */
  readonly zone?: string | undefined;
  /** Likewise of the cluster. @default any */
  readonly cluster?: string | undefined;
  /** Only for the agent with this guid. @default for any that has no certificate in force */
  readonly guid?: string | undefined;
  /** How many agents may use it. @default 1 */
  readonly uses?: number | undefined;
  /** Hours. @default 24 */
  readonly validity?: number | undefined;
}

/** A token that was just made. Nobody is told its text again. */
export interface CreatedEnrollmentToken {
  readonly row: EnrollmentTokenRow;
  readonly token: string;
}

const MOST_USES = 100_000;
/** A year. */
const MOST_HOURS = 8_784;
const HOUR_MS = 3_600_000;

/**
 * Makes a token by which agents come to their first certificate.
 * @param createdBy the name of the key that asks for it
 * @throws OperationError ARGUMENT_INVALID (`zone`, `cluster`, `guid`, `uses`, `validity`); StoreError
 */
export async function createEnrollmentToken(
  { store, events, ca, configuration }: EnrollmentOperationParts,
  { zone, cluster, guid, uses = 1, validity = 24 }: CreateEnrollmentTokenArguments,
  createdBy: string,
): Promise<CreatedEnrollmentToken> {
  const { zones } = configuration().values;
  if (zone !== undefined && !zones.includes(zone)) {
    throw invalidArgument('zone', peerText(zone), `the zones are ${zones.join(', ')}`);
  }
  for (const [name, text] of Object.entries({ cluster, guid })) if (text !== undefined) checkText(name, text);
  checkRange('uses', uses, 1, MOST_USES);
  checkRange('validity', validity, 1, MOST_HOURS);
  if (guid !== undefined && uses !== 1) {
    throw invalidArgument('uses', String(uses), 'a token for one guid has one use');
  }
  const { text, hash } = newEnrollmentToken(ca.anchorFingerprint);
  const bounds = { zone: zone ?? null, cluster: cluster ?? null, guid: guid ?? null, uses };
  const row = await store.createEnrollmentToken({ hash, ...bounds, validForMs: validity * HOUR_MS, createdBy });
  const description = `Enrolment token ${describeToken(row)} was made`;
  events.add({ type: 'ENROLLMENT.TOKEN.CREATE', level: 'INFO', description });
  return { row, token: text };
}

/** Deletes a token: nobody can use it any more. @throws OperationError ARGUMENT_INVALID (`id`); StoreError */
export async function deleteEnrollmentToken(
  { store, events, clock }: EnrollmentOperationParts,
  { id }: { readonly id: string },
): Promise<void> {
  const row = await store.removeEnrollmentToken(id, clock.wallTime());
  if (row === undefined) throw invalidArgument('id', id, 'there is no enrolment token with this id');
  const description = `Enrolment token ${describeToken(row)} was deleted`;
  events.add({ type: 'ENROLLMENT.TOKEN.DELETE', level: 'INFO', description });
}

/** For people: which token it is, without its secret. */
function describeToken({ uuid, zone, cluster, guid, uses, used }: EnrollmentTokenRow): string {
  const bounds = [
    zone !== null && `zone ${zone}`,
    cluster !== null && `cluster ${cluster}`,
    guid !== null && `guid ${guid}`,
    `used ${used} of ${uses} times`,
  ];
  return `${uuid} (${bounds.filter(Boolean).join(', ')})`;
}

function checkText(name: string, text: string): void {
  if (text !== '' && peerText(text) === text) return;
  const reason = `1 to ${PEER_TEXT_LENGTH} characters are allowed, without control characters`;
  throw invalidArgument(name, peerText(text), reason);
}
