/** Bounds of the management server that are not those of the wire. `docs/limits.md` explains them. */
export const MGMT_LIMITS = {
  /** Connections that have not sent a Startup, when `agent.max.concurrent.new.connections` is 0. */
  newConnections: 4096,
  /** Calls of the store at once that register hosts; other Startups wait for their turn. */
  registrations: 32,
  /** How long the Startup of an unknown agent waits for a store that is away: less than the agent's own 30 s. */
  registrationMs: 20_000,
  /** Between two attempts to register such an agent. */
  registrationRetryMs: 1_000,
  /** How often the configuration and changed hosts are read from the store. */
  pollMs: 2_000,
  /** `wait` of Ready 1, in seconds. */
  readySeconds: 60,
  /** `wait` of CheckHealth, in seconds. */
  checkHealthSeconds: 50,
  /** For the answer to a request without `wait`, in seconds. */
  defaultWaitSeconds: 60,
  /** An answer may come this much later than `wait`, which is the limit of the agent's work alone. */
  answerMarginMs: 10_000,
  /** Requests in sequence that wait for their turn at one agent. */
  heldRequests: 1_000,
  /** A guid may change its address or process this often … */
  guidChanges: 3,
  /** … within this time; after that the newcomer is refused for as long. */
  guidFightMs: 60_000,
  /** Characters of a guid, and of other texts of a Startup, that the store keeps. */
  textLength: 255,
  /** How long a server that stops waits for its connections to end. */
  stopMs: 6_000,
  /** How often the age of the server's certificate is checked. */
  certificateCheckMs: 3_600_000,
  /** Idle time before the kernel starts to probe a connection; Node then probes ten times, a second apart. */
  keepAliveMs: 5_000,
  /** Connections that the kernel holds while the event loop is busy. */
  backlog: 4_096,
} as const;
