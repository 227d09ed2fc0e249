/** The management servers an agent may dial, in its own order; the first is its preferred host. */
export interface HostList {
  /** Never empty. */
  readonly hosts: readonly string[];
  /** The server's name for the order; undefined until a server has sent a list. */
  readonly algorithm: string | undefined;
}

/** As `host` in agent.properties has it: `A,B,C@algorithm`, or `A,B,C`. */
export function formatHostList({ hosts, algorithm }: HostList): string {
  return algorithm === undefined ? hosts.join(',') : `${hosts.join(',')}@${algorithm}`;
}

/** The two parts of a `host` value; which hosts are valid is for the caller to say. */
export function splitHostList(text: string): { hosts: string; algorithm: string | undefined } {
  const at = text.lastIndexOf('@');
  if (at < 0) return { hosts: text, algorithm: undefined };
  const algorithm = text.slice(at + 1).trim();
  return { hosts: text.slice(0, at), algorithm: algorithm === '' ? undefined : algorithm };
}
