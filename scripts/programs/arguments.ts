/** The exit code for arguments that cannot be used: EX_USAGE of sysexits.h. */
const EX_USAGE = 64;

/**
 * What the arguments of this process say. With `--help` it prints the usage, and ends this process with 0; when `read` throws, it prints
 * what is wrong and the usage, and ends it with 64.
 */
export function readArguments<T>(usage: string, read: () => T): T {
  if (process.argv.slice(2).includes('--help')) {
    process.stdout.write(usage);
    process.exit(0);
  }
  try {
    return read();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exit(EX_USAGE);
  }
}

/** @param what such as `--seed`. @throws RangeError: it is no whole number from `least` to `most` */
export function wholeNumber(what: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw new RangeError(`${what} ${text}: a whole number from ${least} to ${most} is needed`);
}

/** @throws RangeError: it is none of those */
export function oneOf<T extends string>(what: string, text: string, known: readonly T[]): T {
  const found = known.find(one => one === text);
  if (found === undefined) throw new RangeError(`${what} ${text}: known are ${known.join(', ')}`);
  return found;
}
