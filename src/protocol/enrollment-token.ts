/** The parts of an enrolment token, `<secret>.<ca>`, each 32 bytes in base64url. */
export interface EnrollmentTokenParts {
  /** Whoever has it can enrol. */
  readonly secret: string;
  /** SHA-256 of the CA's certificate in DER: by it an agent verifies its first contact. */
  readonly ca: string;
}

const FORM = /^([\w-]{43})\.([\w-]{43})$/;

/** @returns undefined when the text has not the form of a token */
export function parseEnrollmentToken(text: string): EnrollmentTokenParts | undefined {
  const [, secret, ca] = FORM.exec(text) ?? [];
  return secret === undefined || ca === undefined ? undefined : { secret, ca };
}
