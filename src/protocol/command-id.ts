import { asMessage, type Message } from './body.js';
import { ProtocolError } from './errors.js';
import { decodeJson, type RawJson } from './json.js';
import { inAnswer, inCommand } from './messages/muster.js';

/** What Muster's agents can do beyond CloudStack's protocol, by the names in Startup's `muster.capabilities`. */
export const AGENT_CAPABILITIES = {
  /** It carries out a packet with an id once, and keeps the answers until a server has confirmed them. */
  commandIds: 'commandIds',
  /** It ends what a packet asks for when a CancelCommand with its sequence comes on the same link. */
  cancel: 'cancel',
  /** It takes DoctorCommand. */
  doctor: 'doctor',
} as const;

/** Likewise for Muster's servers, in Ready. */
export const SERVER_CAPABILITIES = {
  /** It takes KeptAnswersCommand, and confirms. */
  keptAnswers: 'keptAnswers',
} as const;

/** The id of a packet of commands, which a server gives to Muster's agents. */
export interface CommandId {
  /** 1 to 200 characters, each a letter, a digit or one of `._:/-`. */
  readonly commandId: string;
  /** Milliseconds after which nobody gives this id again. At most an hour: agents refuse more. */
  readonly expiresInMs: number;
}

/** What became of a packet with an id that was not answered by what carries commands out. */
export type AgentOutcome = 'refused' | 'unknown';

const FORM = /^[\w.:/-]{1,200}$/;

/**
 * Gives an id to the commands of one packet. It travels in the first one.
 * @example
 * const messages = withCommandId([GetHostStatsCommand.encode({ hostId: 7 })], { commandId: 'job-1/7', expiresInMs: 600_000 });
 * @throws RangeError when the id has no proper form
 */
export function withCommandId([first, ...others]: readonly Message[], id: CommandId): readonly Message[] {
  if (!FORM.test(id.commandId)) throw new RangeError(`no id of a command: ${JSON.stringify(id.commandId)}`);
  if (first === undefined) return others;
  return [{ ...first, fields: { ...first.fields, muster: { ...id } } }, ...others];
}

/**
 * The id of a packet of commands.
 * @returns undefined when it has none
 * @example
 * const id = commandIdOf(packet.messages);
 * @throws ProtocolError MESSAGE_FIELD when the id, or its time, cannot be used
 */
export function commandIdOf([first]: readonly Message[]): CommandId | undefined {
  const muster = first?.fields.muster;
  if (muster === undefined || muster === null) return undefined;
  const what = inCommand.accepts(muster) ? muster : undefined;
  if (what !== undefined && what.commandId === undefined) return undefined;
  const { commandId = '', expiresInMs } = what ?? {};
  if (FORM.test(commandId) && expiresInMs !== undefined) return { commandId, expiresInMs };
  throw new ProtocolError('MESSAGE_FIELD', 'muster must have a commandId of up to 200 characters, and expiresInMs', {
    field: 'muster',
  });
}

/**
 * What an agent says became of a packet with an id, when that is not what its answers say.
 * @returns undefined for answers of what carries commands out
 * @example
 * if (agentOutcomeOf(answers) === 'unknown') console.log('it may have been carried out');
 */
export function agentOutcomeOf([first]: readonly Message[]): AgentOutcome | undefined {
  const muster = first?.fields.muster;
  if (!inAnswer.accepts(muster)) return undefined;
  return muster.outcome === 'refused' || muster.outcome === 'unknown' ? muster.outcome : undefined;
}

/**
 * The answers of one entry of KeptAnswersCommand, as messages.
 * @example
 * const { kept = [] } = KeptAnswersCommand.decode(message);
 * for (const { commandId, answers } of kept) if (answers) console.log(commandId, keptMessages(answers));
 * @throws ProtocolError BODY_SHAPE, BODY_JSON
 */
export function keptMessages(answers: readonly unknown[] | RawJson): readonly Message[] {
  const entries: unknown = 'text' in answers ? decodeJson(answers.text) : answers;
  if (!Array.isArray(entries)) throw new ProtocolError('BODY_SHAPE', 'the answers are not an array');
  return entries.map(asMessage);
}

/** What an agent of Muster's adds to the fields of an answer that it gives in the place of its resource, which has failed. */
export const IN_PLACE_OF_RESOURCE = { muster: { outcome: 'failed' } } as const;

/**
 * Whether an answer is one that the agent has given in the place of its resource.
 * @example
 * if (isInPlaceOfResource(answer)) console.log(`the resource has failed: ${answer.fields.details}`);
 */
export function isInPlaceOfResource({ fields: { muster } }: Message): boolean {
  return inAnswer.accepts(muster) && muster.outcome === IN_PLACE_OF_RESOURCE.muster.outcome;
}
