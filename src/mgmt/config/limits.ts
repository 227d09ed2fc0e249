/** Bounds of the management server that are not those of the wire. `docs/limits.md` explains them. */
export const MGMT_LIMITS = {
  /** The least that `packet.max` may say, in bytes: what a packet may have before Ready … */
  packetMaxAtLeast: 2 ** 16,
  /** … and the most. */
  packetMaxAtMost: 2 ** 26,
  /** Connections that have not registered, when `agent.max.concurrent.new.connections` is 0. */
  newConnections: 8_192,
  /** One address (IPv6: one /64) may have this part of them, when the setting for it is 0 … */
  networksAtFullShare: 16,
  /** … and at least so many. */
  leastShare: 16,
  /** While connections come, it is measured so often how many can be served. */
  turnsMeasuredMs: 100,
  /** A host that no server has any more is taken for one that comes back for so long at least, and twice as long at most. */
  connectedRememberedMs: 300_000,
  /** From when the server begins to read a connection to its first byte. */
  firstByteMs: 5_000,
  /** Operators are told once in this time that there are too many connections that have not registered. */
  crowdWarningMs: 60_000,
  /** Links of one host that have registered and are not Ready. */
  arrivingLinks: 8,
  /** Addresses of which it is kept how many new rows their agents have made, or how many wrong tokens they have sent. */
  countedNetworks: 10_000,
  /** The link of a removed host ends so long after its agent is told, whatever that answers. */
  removedLinkMs: 2_000,
  /** Wrong enrolment tokens of one address (IPv6: one /64) in an hour: with more, no token of it is looked at. */
  wrongTokensPerHour: 1_000,
  /** Operators are told of equal refusals, such as of one address for one reason, once in this time … */
  refusalEventMs: 3_600_000,
  /** … and of so many different ones within it. */
  refusalEvents: 1_000,
  /** Operators are told once in this time that the resource of a host has failed in one way … */
  resourceEventMs: 3_600_000,
  /** … and of so many such ways within it. */
  resourceEvents: 1_000,
  /** Operators are told once in this time that an address may not register new hosts. */
  rowWarningMs: 60_000,
  /** Tags that an agent may give its host, and those that an operator may give it … */
  tagsOfHost: 32,
  /** … in characters. */
  tagLength: 64,
  /** An operator's annotation of a host, in characters. */
  annotationLength: 1_000,
  /** Names of pods and clusters that are remembered as registered: others count as new rows. */
  knownLocations: 10_000,
  /** How long the Startup of an unknown agent waits for a store that is away. */
  registrationMs: 5_000,
  /** Between two attempts to register such an agent. */
  registrationRetryMs: 1_000,
  /** When Startups have come during a registration of others: how long those are waited for that are on their way. */
  registrationRestMs: 10,
  /** When states of hosts have come during a write of others: how long more are waited for. No agent waits for the write. */
  ownershipRestMs: 50,
  /** How often the configuration and changed hosts are read from the store. */
  pollMs: 2_000,
  /** Requests before Startup that one link may send: each is answered. */
  requestsBeforeStartup: 100,
  /** `wait` of Ready 1, in seconds. */
  readySeconds: 60,
  /** When the agents' port closes, an agent that was sent Ready has so long to answer it; then its link closes as well. */
  readyAnswerMs: 15_000,
  /** `wait` of CheckHealth, in seconds. */
  checkHealthSeconds: 50,
  /** For the answer to a request without `wait`, in seconds. */
  defaultWaitSeconds: 60,
  /** An answer may come this much later than `wait`, which is the limit of the agent's work alone. */
  answerMarginMs: 10_000,
  /** Requests in sequence that wait for their turn at one agent. */
  heldRequests: 1_000,
  /** What one server passes on to an agent for another one; that one takes it back earlier. */
  passedOnMs: 86_400_000,
  /** The agent that is established under a guid has so long to answer when another one claims it. */
  guidAnswerMs: 2_000,
  /** Another server has so long to ask its agent: until it looks for jobs, and the agent has answered. */
  guidAnswerElsewhereMs: 6_000,
  /** After it has answered, it is not asked again for so long. */
  guidAnswerHoldsMs: 3_000,
  /** Operators are told of two agents with one guid once in this time … */
  guidEventMs: 3_600_000,
  /** … and of so many such pairs within it. */
  guidPairs: 1_000,
  /** After SIGTERM: for links to end by FIN. */
  stopMs: 6_000,
  /** From signing in to the console to the end of the session. */
  consoleSessionMs: 43_200_000,
  /** Sessions that were ended before, and that a server remembers until they would have ended. */
  consoleSessionsEnded: 10_000,
  /** Browsers that one server tells what changes. */
  consoleSubscribers: 100,
  /** How often it looks for what has changed, while there is one. */
  consoleFeedMs: 1_000,
  /** Bytes that wait for a slow browser: with more, its stream is ended, and it comes again. */
  consoleBacklogBytes: 8_388_608,
  /** How often the age of the server's certificate is checked. */
  certificateCheckMs: 3_600_000,
  /** Until a server tries again to have its own certificate issued. */
  certificateRetryMs: 10_000,
  /** Certificates of agents that a server renews at the same time … */
  renewalsAtOnce: 4,
  /** … and the time between the beginnings of two renewals. */
  renewalGapMs: 250,
  /** How often a server looks whether the next pass over its agents' certificates is due. */
  renewalLookMs: 5_000,
  /** Between two passes, at most, while one CA takes the place of another. */
  rotationPassMs: 30_000,
  /** A CA was introduced at least so long before servers switch to it by themselves: all have read that it counts. */
  introducedMs: 15_000,
  /** Idle time before the kernel starts to probe a connection; Node then probes ten times, a second apart. */
  keepAliveMs: 5_000,
  /** API keys of a cluster. */
  apiKeys: 1_000,
  /** How often the store is asked whether there are other API keys. */
  apiKeyPollMs: 1_500,
  /** A link to another server over which nothing has come for so long is pinged … */
  serverPingMs: 5_000,
  /** … and ends when nothing comes for so long after that. */
  serverSilentMs: 10_000,
  /** For another server's TCP connection … */
  serverConnectMs: 5_000,
  /** … for its TLS handshake … */
  serverHandshakeMs: 10_000,
  /** … and for its greeting, or the answer to ours. */
  serverGreetingMs: 5_000,
  /** The longest first wait before another server is dialled again; it doubles with each failure … */
  serverBackoffMs: 100,
  /** … up to this. */
  serverBackoffAtMostMs: 5_000,
  /** What is to be asked of another server waits so long for a link to it … */
  serverOpenMs: 500,
  /** … and what was asked already, when the link has broken, for another one. */
  serverReopenMs: 2_000,
  /** Requests to one other server that wait for their answers … */
  serverRequests: 10_000,
  /** … and their bytes. */
  serverRequestBytes: 2 ** 26,
  /** Answers for another server are kept so long, for the case that the link breaks with them on it … */
  serverAnswersKeptMs: 30_000,
  /** … up to so many bytes for each server. */
  serverAnswersKeptBytes: 2 ** 24,
  /** Bytes of unfinished and unsent packets that all links to other servers may hold together. */
  serverLinkBytes: 2 ** 28,
  /** A server that is asked to take commands back has so long to say whether the agent has got them. */
  takeBackMs: 2_000,
  /** A server that stops has so long to find out what was sent, and to leave its jobs to others. */
  handOverMs: 3_000,
  /** How often it is looked where a host is that has no link to a server, while commands wait for it. */
  hostLookMs: 250,
  /** Commands that one server holds at once, from the call to the outcome. */
  commandsHeld: 20_000,
  /** Connections that the kernel holds while the event loop is busy. */
  backlog: 4_096,
} as const;
