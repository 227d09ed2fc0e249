import { isLoopback } from '../../lib/address.js';
import type { MetricsSource } from '../../metrics/metrics-port.js';
import type { Api } from './api.js';
import { ApiError } from './api-error.js';

/** Who asks for the metrics. */
export interface MetricsRequest {
  /** Of the client. */
  readonly address: string;
  /** A proxy says that it asks for somebody else. */
  readonly isForwarded: boolean;
  /** The header `Authorization`. */
  readonly authorization: string | undefined;
}

export interface MetricsReply {
  /** HTTP status. With 401, the client is told that it may use HTTP Basic. */
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  /** Whether it has shown a right key and secret. */
  readonly isSigned: boolean;
}

/** Answers `/metrics`. Never rejects. */
export type MetricsPage = (request: MetricsRequest) => Promise<MetricsReply>;

/**
 * `/metrics`: for this machine without a key, and for others with the key and the secret of any role by HTTP Basic, which
 * Prometheus has as `basic_auth`.
 * @param find what there is now; undefined: the server starts
 */
export function metricsPage(
  find: () => { readonly source: MetricsSource; readonly api: Pick<Api, 'admit'> } | undefined,
): MetricsPage {
  return async ({ address, isForwarded, authorization }) => {
    const found = find();
    if (found === undefined) return plain(503, 'this management server is starting');
    const isOpen = isLoopback(address) && !isForwarded;
    try {
      if (!isOpen) await found.api.admit(authorization, address);
      const { source } = found;
      return { status: 200, contentType: source.contentType, text: await source.text(), isSigned: !isOpen };
    } catch (error) {
      return error instanceof ApiError ? plain(error.code, error.message) : plain(500, 'internal error');
    }
  };
}

function plain(status: number, text: string): MetricsReply {
  return { status, contentType: 'text/plain; charset=utf-8', text: `${text}\n`, isSigned: false };
}
