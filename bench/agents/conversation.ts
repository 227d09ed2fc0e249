/** How long the packets of one agent are, in bytes, in their order. What answers them on plain TLS sends as many. */
export interface Sizes {
  readonly startup: number;
  readonly startupAnswer: number;
  readonly ready1: number;
  readonly ready1Answer: number;
  readonly ready2: number;
  readonly ready2Answer: number;
  readonly ping: number;
  readonly pingAnswer: number;
}

/** What one side waits for, and what it sends then: one write for each packet. */
export interface Step {
  readonly bytes: number;
  readonly replies: readonly number[];
}

/** The server's side up to Ready; behind it, pings. */
export function stepsOfServer(sizes: Sizes): { readonly arrival: readonly Step[]; readonly ping: Step } {
  return {
    arrival: [
      { bytes: sizes.startup, replies: [sizes.startupAnswer, sizes.ready1] },
      { bytes: sizes.ready1Answer, replies: [sizes.ready2] },
      { bytes: sizes.ready2Answer, replies: [] },
    ],
    ping: { bytes: sizes.ping, replies: [sizes.pingAnswer] },
  };
}

/** The agent's side, behind its Startup. */
export function stepsOfAgent(sizes: Sizes): readonly Step[] {
  return [
    { bytes: sizes.startupAnswer + sizes.ready1, replies: [sizes.ready1Answer] },
    { bytes: sizes.ready2, replies: [sizes.ready2Answer] },
  ];
}
