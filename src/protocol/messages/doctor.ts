import { answer, command, listOf, object, text, textList } from './schema.js';

/**
 * From a server, to agents with the capability `doctor`: is all well with this agent? It looks at its files and dials servers
 * by TCP and TLS, without Startup. It changes nothing.
 */
export const DoctorCommand = command('com.muster.agent.api.DoctorCommand', {
  /** Dials these hosts alone. Missing: the files of the agent, and every host of its list. */
  hosts: textList,
});
/** `result` is true when no finding is an error; `details` has the first one that is. */
export const DoctorAnswer = answer('com.muster.agent.api.DoctorAnswer', {
  findings: listOf(
    object({
      /** `ok`, `warn`, `error` */
      level: text,
      /** The file, the setting or the host. */
      what: text,
      found: text,
      /** What to do about it. */
      remedy: text,
    }),
  ),
});
