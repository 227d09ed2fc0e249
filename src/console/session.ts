/** Who has signed in. */
export interface SessionInfo {
  readonly name: string;
  readonly role: 'reader' | 'operator';
  /** Milliseconds since 1970. */
  readonly ends: number;
}

/** What marks a request as one of this page: another origin's page cannot send it. */
export const CONSOLE_HEADERS = { 'X-Muster-Console': '1' };

const PATH = '/console/session';

/** @returns the session; undefined: there is none; `away`: the server does not answer, or is starting */
export async function readSession(): Promise<SessionInfo | undefined | 'away'> {
  const response = await fetch(PATH, { headers: CONSOLE_HEADERS }).catch(() => undefined);
  if (response === undefined || response.status >= 500) return 'away';
  // One that was broken off is no answer.
  return response.ok ? ((await response.json().catch(() => 'away')) as SessionInfo | 'away') : undefined;
}

/** @returns the session, or why there is none */
export async function signIn(apiKey: string, secretKey: string): Promise<SessionInfo | string> {
  const body = new URLSearchParams({ apiKey, secretKey });
  const response = await fetch(PATH, { method: 'POST', headers: CONSOLE_HEADERS, body }).catch(() => undefined);
  const answer = (await response?.json().catch(() => undefined)) as
    | SessionInfo
    | { readonly error: string }
    | undefined;
  if (answer === undefined) return 'This server does not answer.';
  return 'error' in answer ? answer.error : answer;
}

export async function signOut(): Promise<void> {
  await fetch(PATH, { method: 'DELETE', headers: CONSOLE_HEADERS }).catch(() => undefined);
}
