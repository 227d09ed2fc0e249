/** `1 agent`, `3,312 agents`. */
export function amount(count: number, what: string): string {
  return `${count.toLocaleString('en-US')} ${what}${count === 1 ? '' : 's'}`;
}

/** `1 agent has`, `2 agents have`; likewise `is` and `are`. */
export function amountThat(
  count: number,
  what: string,
  [one, several]: readonly [one: string, several: string],
): string {
  return `${amount(count, what)} ${count === 1 ? one : several}`;
}
