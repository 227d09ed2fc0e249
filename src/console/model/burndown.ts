import { NOWHERE, type Track } from './tracks.js';

export interface AgentsByServer {
  /** Milliseconds since 1970. */
  readonly times: readonly number[];
  /** Of each server, in the order of the fleet, at these times. */
  readonly counts: readonly (readonly number[])[];
}

/** How many agents each server had at equal distances of time. */
export function agentsByServer(
  tracks: readonly Track[],
  servers: number,
  start: number,
  end: number,
  points: number,
): AgentsByServer {
  const distance = (end - start) / (points - 1);
  const times = Array.from({ length: points }, (_, index) => start + index * distance);
  // What changes from one point to the next; their sums are the counts.
  const changes = Array.from({ length: servers }, () => new Array<number>(points).fill(0));
  const change = (server: number, point: number, by: number) => {
    const of = changes[server - 1];
    if (of !== undefined && point < points) of[point] = (of[point] ?? 0) + by;
  };
  for (const { first, steps } of tracks) {
    let server = first;
    if (server > NOWHERE) change(server, 0, 1);
    for (const step of steps) {
      const point = Math.max(0, Math.ceil((step.at - start) / distance));
      if (server > NOWHERE) change(server, point, -1);
      if (step.server > NOWHERE) change(step.server, point, 1);
      server = step.server;
    }
  }
  const counts = changes.map(of => {
    let sum = 0;
    return of.map(by => {
      sum += by;
      return sum;
    });
  });
  return { times, counts };
}
