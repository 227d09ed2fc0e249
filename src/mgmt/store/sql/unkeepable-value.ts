/**
 * libsql ends the whole process when it is given a boolean, and reads a text back only up to its first NUL, so that
 * two guids could become one. MariaDB could keep a NUL, but what one store refuses the other does, too.
 */
export class UnkeepableValue extends TypeError {
  override readonly name = 'UnkeepableValue';
}

export function refuseUnkeepable(value: unknown): void {
  if (value === null || typeof value === 'number' || value instanceof Uint8Array) return;
  if (typeof value !== 'string') throw new UnkeepableValue(`a value of type ${typeof value}`);
  if (value.includes('\0')) throw new UnkeepableValue('a text with a NUL character');
}
