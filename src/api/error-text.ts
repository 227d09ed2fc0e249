/** CloudStack's sentence about an invalid value, as `errortext`. */
export function invalidParameterText(command: string, { name, value, why }: InvalidParameter): string {
  return `Unable to execute API command ${command.toLowerCase()} due to invalid value. Invalid parameter ${name} value=${value} due to ${why}`;
}

interface InvalidParameter {
  readonly name: string;
  readonly value: string;
  readonly why: string;
}

/** The parts of that sentence. @returns undefined when it is another one */
function parseInvalidParameter(errorText: string): InvalidParameter | undefined {
  const parts =
    /^Unable to execute API command \S+ due to invalid value\. Invalid parameter (\S+) value=(.*) due to (.*)$/s.exec(
      errorText,
    );
  if (parts === null) return undefined;
  const [, name = '', value = '', why = ''] = parts;
  return { name, value, why };
}

/** An `errortext` in short: of an invalid value what is wrong with it, since whoever has asked knows the command, and that it failed. */
export function shortErrorText(errorText: string): string {
  const invalid = parseInvalidParameter(errorText);
  return invalid === undefined ? errorText : `${invalid.name}=${invalid.value}: ${invalid.why}`;
}
