import type { Check } from './check.js';
import { dialHosts } from './dial-hosts.js';

/** Whether each host of the list, and of the last list that worked, takes agents. */
export const hosts: Check = {
  name: 'hosts',
  async *run({ dials }) {
    if (dials !== undefined) yield* dialHosts(dials);
  },
};
