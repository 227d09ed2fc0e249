import { signal } from '@preact/signals';
import { ASTRAY, NO_DATA, NO_LINK } from './model/fold.js';

/** Of servers, in their order. Beyond them they begin anew: names are always beside them. */
const LIGHT = ['#3f74d8', '#dd8a24', '#2c9c78', '#a95fc4', '#c9a400', '#2aa3bd', '#d1628c', '#8a7356'];
const DARK = ['#5b8ff0', '#e59a3c', '#3bb58d', '#bd7ad6', '#d3b42f', '#41b9d2', '#e07ba3', '#a68d6d'];

const dark = matchMedia('(prefers-color-scheme: dark)');
export const isDark = signal(dark.matches);
dark.addEventListener('change', ({ matches }) => {
  isDark.value = matches;
});

/** @param number of a server, from 1 */
export function colourOf(number: number): string {
  const colours = isDark.value ? DARK : LIGHT;
  return number < 1 ? (isDark.value ? '#3a424e' : '#c8ced8') : (colours[(number - 1) % colours.length] ?? '#888888');
}

/** Where no host had come yet. */
export function emptyColour(): string {
  return isDark.value ? '#20262f' : '#e3e7ed';
}

/** By the value of a cell: the words of an image's pixels. */
export function pixels(): Uint32Array {
  const words = new Uint32Array(NO_LINK + 1);
  for (let value = 1; value < ASTRAY; value++) {
    words[value] = wordOf(colourOf(value));
    words[ASTRAY + value] = wordOf(colourOf(value));
  }
  words[NO_DATA] = wordOf(emptyColour());
  words[NO_LINK] = wordOf('#ffffff');
  return words;
}

/** Red comes first in memory, and the least byte of a word does. */
function wordOf(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map(at => Number.parseInt(colour.slice(at, at + 2), 16));
  return ((255 << 24) | ((blue ?? 0) << 16) | ((green ?? 0) << 8) | (red ?? 0)) >>> 0;
}
