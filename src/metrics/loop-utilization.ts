/** @returns tells which part of the time since its last call the event loop was busy, 0 to 1 */
export function loopUtilization(): () => number {
  let before = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    // Twice at the same moment.
    return Number.isNaN(utilization) ? 0 : utilization;
  };
}
