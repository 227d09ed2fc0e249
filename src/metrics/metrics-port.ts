import { createServer } from 'node:http';
import { listenAt } from '../lib/listen.js';

/** What `/metrics` shows. */
export interface MetricsSource {
  /** The media type of the text. */
  readonly contentType: string;
  text(): Promise<string>;
}

export interface MetricsPortOptions {
  readonly address: string;
  readonly port: number;
}

/** Those who scrape are one or two. */
const CONNECTIONS_MAX = 16;
/** From the first byte of a connection to the end of a request. */
const REQUEST_MS = 5_000;
/** A connection without a request is closed after this. */
const IDLE_MS = 5_000;

/**
 * A port that has `/metrics` and nothing else, for a program that has no other HTTP. It asks nobody who he is.
 * @returns what closes it
 * @throws FatalError PORT_IN_USE, ADDRESS_NOT_AVAILABLE, LISTEN_FAILED
 */
export async function openMetricsPort(
  { address, port }: MetricsPortOptions,
  source: MetricsSource,
): Promise<() => Promise<void>> {
  const server = createServer(
    { headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS, keepAliveTimeout: IDLE_MS },
    (request, response) => {
      const plain = (status: number, text: string) =>
        response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
      if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
        plain(404, 'there is nothing here but GET /metrics');
        return;
      }
      source.text().then(
        text => response.writeHead(200, { 'content-type': source.contentType }).end(text),
        () => plain(500, 'internal error'),
      );
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  await listenAt(server, { host: address, port });
  return () =>
    new Promise(resolve => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}
