/** In place of a secret. */
const HIDDEN = '…';

/** Whether a setting has a secret: by the name of its key, as `keystore.passphrase`, or in a URL, as in `db.url`. */
export function hasSecret(key: string, value: string): boolean {
  return value !== '' && withoutSecret(key, value) !== value;
}

/** The value for a log, an error or the title of a process. */
export function withoutSecret(key: string, value: string): string {
  if (value !== '' && /(?:password|passphrase|secret|token)$/i.test(key)) return HIDDEN;
  return value.replace(/^(\w+:\/\/[^/@]*?:)[^/@]+@/, `$1${HIDDEN}@`);
}
