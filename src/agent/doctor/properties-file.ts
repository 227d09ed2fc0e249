import { access, constants } from 'node:fs/promises';
import { reasonOf } from '../../lib/errors.js';
import type { Check } from './check.js';

/** Whether agent.properties is there, and can be read and written. */
export const propertiesFile: Check = {
  name: 'properties file',
  async *run({ properties: { path, stats, readError } }) {
    if (stats === undefined) {
      yield {
        level: 'error',
        what: path,
        found: 'there is no such file',
        remedy: 'name the folder of agent.properties, or start the agent once: it makes one',
      };
      return;
    }
    if (readError !== undefined) {
      yield {
        level: 'error',
        what: path,
        found: `cannot be read: ${reasonOf(readError)}`,
        remedy: `chown it to the agent's user, chmod 640 ${path}`,
      };
      return;
    }
    // The agent does not write a file without the owner's write permission, not even as root.
    const isWritable =
      (stats.mode & 0o200) !== 0 &&
      (await access(path, constants.W_OK).then(
        () => true,
        () => false,
      ));
    if (isWritable) yield { level: 'ok', what: path, found: 'readable and writable' };
    else {
      yield {
        level: 'warn',
        what: path,
        found: 'cannot be written: what servers say is lost with the process',
        remedy: `chmod u+w ${path}`,
      };
    }
  },
};
