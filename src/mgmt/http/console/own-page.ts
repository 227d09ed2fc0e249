import type { IncomingHttpHeaders } from 'node:http';

/** The header by which the console marks its requests. No page of another origin can send it without being allowed to. */
const CONSOLE_HEADER = 'x-muster-console';

/** Whether a request with a session comes from the console of this server, and not from another page in the same browser. */
export function isOfOwnPage(headers: IncomingHttpHeaders): boolean {
  return headers[CONSOLE_HEADER] !== undefined && isSameOrigin(headers);
}

/** Likewise for a request that changes nothing, and that browsers send without headers of the page. */
export function isSameOrigin({ host, origin, 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  if (site !== undefined && site !== 'same-origin') return false;
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
}
