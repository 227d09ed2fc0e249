/** Long enough that a write of it takes a while. */
const HOSTS = 2_000;

/** The host list of this number. */
export function listOf(number: number): string {
  return Array.from({ length: HOSTS }, (_, i) => `host-${number}-${i}.example.com`).join(',');
}

/** @throws Error: it is no list */
export function numberOf(list: string): number {
  const [, number] = /^host-(\d+)-0\./.exec(list) ?? [];
  if (number === undefined) throw new Error(`no list: ${list.slice(0, 100)}`);
  return Number(number);
}

/** agent.properties with this list. */
export function propertiesWith(number: number): string {
  return `# Of this machine: do not copy.\nguid=7d1f\n\n# Where to connect to.\nhost=${listOf(number)}\n! The end.\nzone=z1\n`;
}
