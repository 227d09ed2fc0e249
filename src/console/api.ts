import type { CommandName } from '../api/commands/index.js';
import { shortErrorText } from '../api/error-text.js';
import type { Params, ResponseObject } from '../api/types.js';
import { CONSOLE_HEADERS } from './session.js';

/** What a server says when it refuses a request. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  /** HTTP status; 0: no server has answered. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Page<T> {
  readonly count: number;
  readonly items: readonly T[];
  /** Why the list is not what the store would tell. */
  readonly warning: string | undefined;
}

/** Called when a request finds that there is no session any more. */
let onEnded = () => {};

export function whenSessionEnds(callback: () => void): void {
  onEnded = callback;
}

/** A command that answers with a list. @throws Refusal */
export async function list<N extends CommandName>(command: N, params: Params<N>): Promise<Page<ResponseObject<N>>> {
  const body = await request(command, params);
  const items = Object.values(body).find(Array.isArray) ?? [];
  const { count = items.length, warning } = body as { readonly count?: number; readonly warning?: string };
  // The API's table says what the objects are.
  return { count, items: items as readonly ResponseObject<N>[], warning };
}

/** Any other command. @throws Refusal */
export async function ask<N extends CommandName>(command: N, params: Params<N>): Promise<ResponseObject<N>> {
  const body = await request(command, params);
  const [only, ...others] = Object.values(body);
  const isWrapped = others.length === 0 && typeof only === 'object' && only !== null && !Array.isArray(only);
  return (isWrapped ? only : body) as ResponseObject<N>;
}

/** A command that makes a job. @returns the id of the job @throws Refusal */
export async function startJob<N extends CommandName>(command: N, params: Params<N>): Promise<string> {
  const { jobid } = (await request(command, params)) as { readonly jobid: string };
  return jobid;
}

async function request(command: string, params: object): Promise<object> {
  const form = new URLSearchParams({ command, response: 'json' });
  for (const [name, value] of Object.entries(params)) if (value !== undefined) form.set(name, String(value));
  const response = await fetch('/client/api', { method: 'POST', headers: CONSOLE_HEADERS, body: form }).catch(() => {
    throw new Refusal(0, 'This server does not answer.');
  });
  const text = await response.text();
  const [body] = Object.values(parsed(text)) as [{ readonly errortext?: string } | undefined];
  if (response.status === 401) onEnded();
  if (!response.ok || body === undefined) {
    const why = body?.errortext;
    throw new Refusal(response.status, why ? shortErrorText(why) : `The server answered with ${response.status}.`);
  }
  return body;
}

function parsed(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    return {};
  }
}
