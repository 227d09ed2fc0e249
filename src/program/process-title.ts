import { hasSecret, withoutSecret } from '../lib/secret-settings.js';

/**
 * Takes the secrets that were given on the command line out of what `ps` and `/proc` show of this process to all users.
 * They were shown until then, and stay in the history of a shell: a file is better.
 * @param argv all arguments of the process
 * @param setTitle sets the title of the process: libuv writes it over the arguments, and fills the rest with zeros
 * @returns the keys whose values were taken out
 */
export function hideSecrets(argv: readonly string[], setTitle: (title: string) => void): readonly string[] {
  const settings = argv.map(argument => {
    const at = argument.indexOf('=');
    return at < 1 ? undefined : { key: argument.slice(0, at), value: argument.slice(at + 1) };
  });
  const secret = settings.flatMap(setting => (setting && hasSecret(setting.key, setting.value) ? [setting.key] : []));
  if (secret.length === 0) return [];
  const shown = argv.map((argument, index) => {
    const setting = settings[index];
    return setting === undefined ? argument : `${setting.key}=${withoutSecret(setting.key, setting.value)}`;
  });
  setTitle(shown.join(' '));
  return secret;
}
