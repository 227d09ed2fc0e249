/** Of the servers. */
export const ADDRESS = '127.0.0.1';

/** What the store of a server says: many agents of one address come at once. */
export const CONFIGURATION = {
  host: ADDRESS,
  'ca.plugin.root.auth.strictness': 'false',
  // Idle agents of the bench do not ping.
  'ping.interval': '3600',
  'agent.max.concurrent.new.connections.per.address': '4096',
  'agent.new.hosts.per.address': '0',
} as const;
