import { readFileSync, writeFileSync } from 'node:fs';

/**
 * For a program that makes a part of a page: writes it; with `--check` it changes nothing, and exits with 1 when the page is out of
 * date.
 * @param file the page, relative to the root of the project
 * @param remade the content of the page as it should be, from what it is
 */
export function remakePage(file: string, remade: (text: string) => string): void {
  const text = readFileSync(file, 'utf8');
  const wanted = remade(text);
  if (!process.argv.includes('--check')) writeFileSync(file, wanted);
  else if (wanted !== text) {
    console.error(`${file} is out of date: npm run docs writes it`);
    process.exitCode = 1;
  }
}
