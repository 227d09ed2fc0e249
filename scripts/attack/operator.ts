// An operator who uses the API while the server is attacked.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sign } from '#dist/api/signature.js';

const TIMEOUT_MS = 10_000;

/** The API of the server, with the key pair that it has written. */
export class Operator {
  readonly #endpoint: string;
  readonly #key: string;
  readonly #secret: string;
  /** The longest time until an answer, in milliseconds, since `forget`. */
  slowestMs = 0;
  /** Requests without an answer, since `forget`. */
  failed = 0;

  constructor(folder: string, apiPort: number) {
    const ini = readFileSync(join(folder, 'data/cloudstack.ini'), 'utf8');
    const setting = (key: string) => new RegExp(`^${key}\\s*=\\s*(\\S+)`, 'm').exec(ini)?.[1] ?? '';
    this.#endpoint = `http://127.0.0.1:${apiPort}/client/api`;
    this.#key = setting('key');
    this.#secret = setting('secret');
  }

  forget(): void {
    this.slowestMs = 0;
    this.failed = 0;
  }

  /** Milliseconds that the last ping of each honest agent took, by its guid. Empty when there is no answer. */
  async pings(): Promise<ReadonlyMap<string, number>> {
    const params = new Map([
      ['command', 'listAgentLinks'],
      ['keyword', 'fleet-'],
      ['pagesize', '500'],
      ['response', 'json'],
      ['apiKey', this.#key],
    ]);
    params.set('signature', sign(params, this.#secret));
    const startedAt = performance.now();
    try {
      // A connection for each request, as the command line has: one that is kept would prove nothing.
      const response = await fetch(this.#endpoint, {
        method: 'POST',
        body: new URLSearchParams([...params]),
        headers: { connection: 'close' },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (response.status !== 200) throw new Error(`HTTP status ${response.status}`);
      const answer = (await response.json()) as {
        listagentlinksresponse: { agentlink?: readonly { hostname: string; roundtripms?: number }[] };
      };
      const links = answer.listagentlinksresponse.agentlink ?? [];
      return new Map(links.flatMap(({ hostname, roundtripms: ms }) => (ms === undefined ? [] : [[hostname, ms]])));
    } catch {
      this.failed++;
      return new Map();
    } finally {
      this.slowestMs = Math.max(this.slowestMs, performance.now() - startedAt);
    }
  }
}
