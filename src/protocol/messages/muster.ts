import { object, text } from './schema.js';

/**
 * The field `muster`: what only Muster's programs say to each other. CloudStack's ignore it, as they ignore every field
 * that they do not know. A peer that does not send it is treated as CloudStack's.
 */
export const inStartup = object({
  /** The enrolment token, from an agent without a certificate. Sent only to a server of the CA that it names. */
  token: text,
});
