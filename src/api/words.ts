/** What alerts are about: how their subjects begin. */
export const ALERT_KINDS = [
  'server-down',
  'agents-nowhere',
  'certificates-expiring',
  'drain-stuck',
  'guid-fight',
  'store-away',
] as const;

/** One of `ALERT_KINDS`. */
export type AlertKind = (typeof ALERT_KINDS)[number];

/** What host lists follow from: names of the configuration, by the parameters that `previewHostList` and `startCanary` have for them. */
export const LIST_PARAMETERS = {
  host: 'host',
  algorithm: 'indirect.agent.lb.algorithm',
  weights: 'indirect.agent.lb.weights',
} as const;

/** One of the keys of `LIST_PARAMETERS`. */
export type ListArgument = keyof typeof LIST_PARAMETERS;

export const LIST_ARGUMENTS = Object.keys(LIST_PARAMETERS) as readonly ListArgument[];
