/** How an agent has come to a server, in its own words. */
export const AGENT_MOVE_KINDS = [
  /** Its process has started. */
  'connect',
  /** It had lost its last Ready link. */
  'failover',
  /** Back to its preferred server. */
  'failback',
  /** Its server has asked it to move. */
  'migrate',
  /** Its server did not answer any more. */
  'suspect',
  /** The server that it was on has left its list. */
  'left-list',
  /** Anew to the server that it was on. */
  'register',
] as const;

/** One of `AGENT_MOVE_KINDS`. */
export type AgentMoveKind = (typeof AGENT_MOVE_KINDS)[number];

/** How a link has ended, for who did not end it. */
export const LINK_ENDS = [
  /** By the peer, in order: its process has ended, or it has closed the link. */
  'closed',
  /** By a reset. */
  'reset',
  /** The peer, or the network, did not answer any more. */
  'silent',
  /** By an error, such as a packet that is none. */
  'failed',
] as const;

/** One of `LINK_ENDS`. */
export type LinkEnd = (typeof LINK_ENDS)[number];

/** Why an agent has come to a server, in its own words. */
export const AGENT_MOVE_CAUSES = [
  /** Its process has started. */
  'started',
  ...LINK_ENDS,
  /** The server is its preferred one. */
  'preferred',
  /** Its server has asked for it. */
  'asked',
  /** It has got another list. */
  'list-changed',
  /** The server did not know its host any more. */
  'row-lost',
  /** It presents other certificates. */
  'certificates',
] as const;

/** One of `AGENT_MOVE_CAUSES`. */
export type AgentMoveCause = (typeof AGENT_MOVE_CAUSES)[number];
