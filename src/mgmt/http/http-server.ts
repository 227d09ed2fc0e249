import { type FastifyInstance, fastify } from 'fastify';
import { cannotListen } from '../../lib/listen-error.js';
import type { Api } from './api.js';
import { ApiError } from './api-error.js';
import { errorEnvelope } from './envelope.js';
import type { RequestParams } from './signature.js';

export interface HttpParts {
  readonly api: Pick<Api, 'handle'>;
  /** Why agents and operators should go elsewhere now; undefined when all is well. */
  notReady(): string | undefined;
}

/** Signed requests are short; the longest is a `host` value. */
const BODY_BYTES = 64 * 1024;
const REQUEST_MS = 30_000;
const JSON_TYPE = 'application/json; charset=UTF-8';

/** The HTTP side: `/client/api`, `/healthz`, `/readyz`. It starts to listen by `listen`. */
export function httpServer({ api, notReady }: HttpParts): FastifyInstance {
  const app = fastify({ bodyLimit: BODY_BYTES, requestTimeout: REQUEST_MS, forceCloseConnections: true });
  // The text as it came: of a repeated parameter the first one counts, and names are data.
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
    done(null, String(body)),
  );
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500;
    const text = status < 500 ? error.message : 'internal error: see the log of this management server';
    reply
      .code(status)
      .type(JSON_TYPE)
      .send(errorEnvelope('errorresponse', new ApiError(530, text)));
  });
  app.route({
    method: ['GET', 'POST'],
    url: '/client/api',
    async handler(request, reply) {
      const query = request.url.split('?', 2)[1] ?? '';
      const form = typeof request.body === 'string' ? request.body : '';
      const { status, body } = await api.handle(firstOfEach(query, form), request.ip);
      return reply.code(status).type(JSON_TYPE).send(body);
    },
  });
  app.get('/healthz', (_request, reply) => reply.type('text/plain').send('alive\n'));
  app.get('/readyz', (_request, reply) => {
    const why = notReady();
    return reply
      .code(why === undefined ? 200 : 503)
      .type('text/plain')
      .send(`${why ?? 'ready'}\n`);
  });
  return app;
}

/** @throws FatalError PORT_IN_USE, ADDRESS_NOT_AVAILABLE, LISTEN_FAILED */
export async function listenHttp(app: FastifyInstance, address: string, port: number): Promise<number> {
  try {
    await app.listen({ host: address, port });
  } catch (cause) {
    throw cannotListen(address, port, cause as Error);
  }
  const bound = app.server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : port;
}

function firstOfEach(...texts: readonly string[]): RequestParams {
  const params = new Map<string, string>();
  for (const text of texts) {
    for (const [name, value] of new URLSearchParams(text)) if (!params.has(name)) params.set(name, value);
  }
  return params;
}
