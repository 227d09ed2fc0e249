/** For what an agent does once its check is due: 200 of them may have their handshakes at that moment. */
const SPARE_MS = 20_000;
/** Whose check may be later than this is not waited for. */
const MOST_MS = 80_000;

/**
 * Within so long an agent goes to its preferred server by itself, once nothing keeps it. Each way back that did not last doubles
 * the time to its next check. Pure.
 * @param failbacks how often it has gone back since its process began
 * @returns undefined: it may take too long to wait for
 */
export function wayBackMs(checkIntervalMs: number, failbacks: number): number | undefined {
  const within = checkIntervalMs * 2 ** failbacks;
  return within > MOST_MS ? undefined : within + SPARE_MS;
}
