/** Bounds of the management server that are not the wire's. `docs/limits.md` shows them with their reasons. */
export const MGMT_LIMITS = {
  /** Connections that have not got as far as a Startup, when `agent.max.concurrent.new.connections` is 0. */
  newConnections: 4096,
  /** Startups that may be in the store at once; others wait in line. */
  registrations: 32,
  /** How long an agent that no server knows waits for a store that is away: well below its own 30 s. */
  registrationMs: 20_000,
  /** Between two attempts of that kind. */
  registrationRetryMs: 1_000,
  /** How often the store is asked for another configuration and for new hosts. */
  pollMs: 2_000,
  /** Requests before Startup that one link may send: each is answered. */
  requestsBeforeStartup: 100,
  /** `wait` of Ready 1, in seconds. */
  readySeconds: 60,
  /** `wait` of CheckHealth, in seconds. */
  checkHealthSeconds: 50,
  /** What a request without `wait` gets, in seconds. */
  defaultWaitSeconds: 60,
  /** An answer may come this much later than `wait` says: `wait` is the agent's own limit, and the answer has to travel. */
  answerMarginMs: 10_000,
  /** Requests in sequence that one agent's attache holds back. */
  heldRequests: 1_000,
  /** The agent that is established under a guid has so long to answer when another one claims it. */
  guidAnswerMs: 2_000,
  /** Another server has so long to ask its agent: until it looks for jobs, and the agent has answered. */
  guidAnswerElsewhereMs: 6_000,
  /** Operators are told of two agents with one guid once in this time … */
  guidEventMs: 3_600_000,
  /** … and of so many such pairs within it. */
  guidPairs: 1_000,
  /** After SIGTERM: for links to end by FIN. */
  stopMs: 6_000,
  /** How often the certificate's age is looked at. */
  certificateCheckMs: 3_600_000,
  /** Idle time before the kernel starts to probe a connection; Node then probes ten times, a second apart. */
  keepAliveMs: 5_000,
  /** Connections that the kernel holds while the event loop is busy. */
  backlog: 4_096,
} as const;
