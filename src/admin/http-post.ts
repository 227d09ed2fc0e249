import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

export interface PostOptions {
  /** The certificates by which the server's is verified, in PEM. Undefined: those that the system trusts. */
  readonly ca: string | undefined;
  /** Ends the request. */
  readonly signal: AbortSignal;
}

export interface PostAnswer {
  readonly status: number;
  readonly text: string;
}

/** Longer answers are not read to their end. */
const ANSWER_BYTES = 256 * 2 ** 20;

/** Posts a form. @throws what the connection ends with */
export function post(url: string, form: URLSearchParams, { ca, signal }: PostOptions): Promise<PostAnswer> {
  const isTls = new URL(url).protocol === 'https:';
  return new Promise((resolve, reject) => {
    const body = form.toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) };
    const options = { method: 'POST', headers, signal, agent: false } as const;
    const request = isTls
      ? requestHttps(url, { ...options, minVersion: 'TLSv1.2', ...(ca !== undefined && { ca }) })
      : requestHttp(url, options);
    request.on('error', reject);
    request.on('response', response => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('error', reject);
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES) request.destroy(new Error(`an answer of more than ${ANSWER_BYTES} bytes`));
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    request.end(body);
  });
}
