import type { Check } from './check.js';

/** Whether the agent starts with the values of agent.properties, and what it does with them. */
export const settings: Check = {
  name: 'settings',
  async *run({ properties: { path, wrongValue }, settings }) {
    if (wrongValue !== undefined) {
      const { key, message } = wrongValue;
      yield {
        level: 'error',
        what: `${path}, ${key}`,
        found: message,
        remedy: `correct ${key}; the agent does not start with it`,
      };
    }
    if (settings === undefined) return;
    const { guid, zone, list, lastCompleted } = settings;
    if (zone === '') {
      yield {
        level: 'error',
        what: `${path}, zone`,
        found: 'empty: this host was removed, and the agent does not dial',
        remedy: 'set zone, pod and cluster to register it anew',
      };
    }
    if (guid === undefined) {
      yield { level: 'warn', what: `${path}, guid`, found: 'none yet', remedy: 'start the agent once: it makes one' };
    }
    const order = list.algorithm === undefined ? '' : ` by ${list.algorithm}`;
    yield { level: 'ok', what: `${path}, host`, found: `${list.hosts.join(',')}${order}` };
    if (lastCompleted === undefined) {
      yield {
        level: 'warn',
        what: `${path}, last.setup.completed.host`,
        found: 'no list has worked yet',
        remedy: 'see the hosts below',
      };
    }
  },
};
