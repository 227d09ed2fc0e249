import { basename } from 'node:path';

/**
 * How this program is called: by the name of the link that it was installed as, such as `muster`, or by its file.
 * @param script `process.argv[1]`, which is the path that was called, also where that is a link
 */
export function calledAs(script = ''): string {
  const name = basename(script);
  return name.endsWith('.js') ? `node dist/${name}` : name;
}
