/**
 * For tests that are not about certificates: agents are let in without one. Played agents have no TLS in which they could
 * present it.
 */
export const NOT_STRICT = { 'ca.plugin.root.auth.strictness': 'false' } as const;
