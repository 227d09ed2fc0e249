/**
 * Where a host is, as far as one server has seen: connected to this server; connected, while the store has it elsewhere; or
 * gone from here. Undefined: it was never here, or is elsewhere.
 *
 *     undefined ─ready─▶ here ─elsewhere─▶ leaving ─lost: moved─▶ undefined
 *                          │ lost                                    ▲
 *                          └─────────────▶ left ─elsewhere: moved────┘
 */
export type Presence = 'here' | 'leaving' | 'left' | undefined;

/** It has a Ready link here; it has no link here any more; the store says that another server has it, or that this one has. */
export type PresenceEvent = 'ready' | 'lost' | 'elsewhere' | 'ours';

/** The next presence, and what listeners are told. */
export interface PresenceStep {
  readonly presence: Presence;
  readonly says?: 'ready' | 'lost' | 'moved';
}

/** What follows from an event for a host. A host that is elsewhere before its link here ends is moved, and never lost. */
export function next(presence: Presence, event: PresenceEvent): PresenceStep {
  const isConnected = presence === 'here' || presence === 'leaving';
  switch (event) {
    case 'ready':
      return isConnected ? { presence: 'here' } : { presence: 'here', says: 'ready' };
    case 'lost':
      if (presence === 'leaving') return { presence: undefined, says: 'moved' };
      return presence === 'here' ? { presence: 'left', says: 'lost' } : { presence };
    case 'elsewhere':
      if (presence === 'left') return { presence: undefined, says: 'moved' };
      return { presence: isConnected ? 'leaving' : presence };
    case 'ours':
      return { presence: isConnected ? 'here' : presence };
  }
}
