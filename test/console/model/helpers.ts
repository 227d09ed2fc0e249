import type { Fleet, Step, Track } from '../../../src/console/model/tracks.js';

export const SERVERS = [1, 2, 3].map(number => ({ id: `server-${number}`, address: `10.0.0.${number}` }));

export function step(
  at: number,
  server: number,
  { kind = 'failover', cause = 'silent', gap }: Partial<Step> = {},
): Step {
  return { at, server, kind, cause, gap };
}

export function track(name: string, { ...fields }: Partial<Track> = {}): Track {
  const plain = { zone: 'default', cluster: '', tags: [], preferred: 1, first: 1, steps: [] };
  return { id: `id-${name}`, name, ...plain, ...fields };
}

export function fleet(tracks: readonly Track[]): Fleet {
  return { start: 0, servers: SERVERS, tracks };
}
