import { createServer, type RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { SecureContext } from 'node:tls';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { ERROR_RESPONSE, errorEnvelope } from '../../api/envelope.js';
import { param, type RequestParams } from '../../api/signature.js';
import { networkOf } from '../../lib/address.js';
import { Admission } from '../../lib/admission.js';
import type { Clock } from '../../lib/clock.js';
import { cannotListen, outliveAccept } from '../../lib/listen.js';
import type { Api } from './api.js';
import { ConsoleRoutes, type ConsoleRoutesParts } from './console/routes.js';
import type { MetricsPage } from './metrics-page.js';
import { TlsConnections } from './tls-connections.js';

export interface HttpParts {
  readonly clock: Clock;
  readonly api: Pick<Api, 'handle'>;
  /** Why this server takes no agents now, for `/readyz`; undefined when it does. */
  notReady(): string | undefined;
  /** Answers `/metrics`. @default there is none */
  readonly metrics?: MetricsPage;
  /** The TLS context for the next connection. @default plain HTTP */
  readonly secureContext?: () => SecureContext;
  /** The console. @default there is none */
  readonly console?: Pick<ConsoleRoutesParts, 'folder' | 'console'>;
}

export type HttpServer = FastifyInstance;

/** Bytes of a form. The longest request sets the value of `host`. */
const BODY_BYTES = 64 * 1024;
/** Parameters of a request, of query and form together. */
const PARAMETERS_MAX = 200;
/** From the first byte of a connection, or the end of the request before, to the end of a request's head. */
const HEAD_MS = 10_000;
/** Likewise, to the end of its form. */
const REQUEST_MS = 15_000;
/** How often these two are looked at. */
const LOOK_MS = 1_000;
/** A connection without a request is closed after this. */
const IDLE_MS = 5_000;
/** Connections that have not sent a request with a right signature. */
const STRANGERS = { total: 512, perNetwork: 256 };
const CONNECTIONS_MAX = 2_048;
const JSON_TYPE = 'application/json; charset=UTF-8';

/** `/client/api`, `/metrics`, `/healthz`, `/readyz` and the console. `listenHttp` opens its port. */
export function httpServer({ clock, api, notReady, metrics, secureContext, console }: HttpParts): HttpServer {
  const app = fastify({
    bodyLimit: BODY_BYTES,
    forceCloseConnections: true,
    clientErrorHandler: refuseUnreadable,
    frameworkErrors: (error, _request, reply) => refuse(reply, error),
    // Also since for the name localhost fastify would open further listeners of its own, without these bounds.
    serverFactory: handle =>
      createServer(
        {
          headersTimeout: HEAD_MS,
          requestTimeout: REQUEST_MS,
          keepAliveTimeout: IDLE_MS,
          connectionsCheckingInterval: LOOK_MS,
        },
        oneAtATime(handle),
      ),
  });
  app.server.maxConnections = CONNECTIONS_MAX;
  outliveAccept(app.server);
  const tls =
    secureContext && new TlsConnections(app.server, { clock, context: secureContext, refusePlain: refusePlainHttp });
  const tcpOf = (socket: Socket) => tls?.tcpOf(socket) ?? socket;
  app.addHook('preClose', async () => tls?.close());
  const strangers = new Admission<Socket>();
  app.server.on('connection', (socket: Socket) => {
    const verdict = strangers.arrive(socket, networkOf(socket.remoteAddress ?? ''), clock.now(), STRANGERS);
    for (const evicted of verdict.evicted) evicted.destroy();
    if (!verdict.isAdmitted) {
      socket.destroy();
      return;
    }
    strangers.isRead(socket);
    socket.once('close', () => strangers.leave(socket));
  });
  app.addHook('onRequest', async ({ raw }) => strangers.spoke(tcpOf(raw.socket)));
  app.removeAllContentTypeParsers();
  // As text: fastify's parser would keep the last of repeated parameters, in an object with keys that a client chooses.
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
    done(null, String(body)),
  );
  app.setErrorHandler((error: Error, _request, reply) => refuse(reply, error));
  app.setNotFoundHandler((request, reply) => {
    const text = `there is nothing at ${request.method} ${request.url.slice(0, 200)}: the API is at /client/api, by GET and POST`;
    return reply.code(404).type(JSON_TYPE).send(failure(404, text));
  });
  const known = (request: FastifyRequest) => strangers.leave(tcpOf(request.raw.socket));
  const routes =
    console &&
    new ConsoleRoutes({
      ...console,
      isTls: secureContext !== undefined,
      formOf: ({ body }) => firstOfEach(typeof body === 'string' ? body : ''),
      known,
    });
  routes?.register(app);
  app.route({
    method: ['GET', 'POST'],
    url: '/client/api',
    async handler(request, reply) {
      const at = request.url.indexOf('?');
      const query = at < 0 ? '' : request.url.slice(at + 1);
      const form = typeof request.body === 'string' ? request.body : '';
      const params = firstOfEach(query, form);
      const key = param(params, 'signature') === undefined ? routes?.sessionOf(request)?.key : undefined;
      const { status, body, isSigned } = await api.handle(params, request.ip, key);
      if (isSigned) known(request);
      // A long one leaves as fast as its client reads, and is never one text.
      return reply
        .code(status)
        .type(JSON_TYPE)
        .send(body.length > 1 ? Readable.from(body) : body[0]);
    },
  });
  if (metrics !== undefined) {
    app.get('/metrics', async (request, reply) => {
      const { headers, ip } = request;
      const isForwarded = headers.forwarded !== undefined || headers['x-forwarded-for'] !== undefined;
      const { authorization } = headers;
      const { status, contentType, text, isSigned } = await metrics({ address: ip, isForwarded, authorization });
      if (isSigned) known(request);
      if (status === 401) reply.header('www-authenticate', 'Basic realm="muster"');
      return reply.code(status).type(contentType).send(text);
    });
  }
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

/** Opens the port, at one address: of a name, the first. @returns its number @throws FatalError PORT_IN_USE, ADDRESS_NOT_AVAILABLE, LISTEN_FAILED */
export async function listenHttp(app: HttpServer, address: string, port: number): Promise<number> {
  try {
    await app.listen({ host: address, port });
  } catch (cause) {
    throw cannotListen(address, port, cause as Error);
  }
  const bound = app.server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : port;
}

/**
 * A connection whose client sends a request before the last one is answered is closed. No tool does so, and a segment can
 * hold a thousand requests, which would all be worked on in one turn of the event loop.
 */
function oneAtATime(handle: RequestListener): RequestListener {
  const busy = new WeakSet<Socket>();
  return (request, response) => {
    const { socket } = request;
    if (busy.has(socket)) {
      socket.destroy();
      return;
    }
    busy.add(socket);
    response.once('close', () => busy.delete(socket));
    handle(request, response);
  };
}

function refuse(reply: FastifyReply, error: Error & { statusCode?: number }): FastifyReply {
  const status = error.statusCode ?? 500;
  return reply
    .code(status)
    .type(JSON_TYPE)
    .send(failure(status, textOf(status, error)));
}

/** Answers what cannot be parsed as a request. */
function refuseUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = UNREADABLE[error.code ?? ''] ?? 400;
  refuseRaw(socket, status, textOf(status, error));
}

/** Answers a client that speaks plain HTTP where TLS is expected, so that it is told what is wrong. */
function refusePlainHttp(socket: Socket): void {
  refuseRaw(socket, 400, 'this port speaks HTTPS: the endpoint has to begin with https://');
}

/** Without a request there is no reply to send. */
function refuseRaw(socket: Socket, status: number, text: string): void {
  const body = failure(status, text);
  const head = [
    `HTTP/1.1 ${status} Refused`,
    `Content-Type: ${JSON_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.write([...head, 'Connection: close', '', body].join('\r\n'));
  // Not `end`: that would wait for the client to close its side.
  socket.destroySoon();
}

const UNREADABLE: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };

/** What a handler throws, with its HTTP status. */
class RequestError extends Error {
  readonly statusCode: number;

  constructor(statusCode: number, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

/** The text for a client. Some of fastify's own texts do not say what is expected. */
function textOf(status: number, error: Error): string {
  switch (status) {
    case 408:
      return `the request was not complete within ${REQUEST_MS / 1_000} s`;
    case 413:
      return `the request is longer than ${BODY_BYTES} bytes`;
    case 415:
      return 'a POST is a form: Content-Type: application/x-www-form-urlencoded is expected';
    case 431:
      return 'the request is too long for GET: send it as a form, by POST';
    default:
      return status < 500 ? error.message : 'internal error';
  }
}

function failure(status: number, text: string): string {
  return errorEnvelope(ERROR_RESPONSE, { code: status, csCode: 9999, message: text });
}

function firstOfEach(...texts: readonly string[]): RequestParams {
  const params = new Map<string, string>();
  for (const text of texts) {
    for (const [name, value] of new URLSearchParams(text)) {
      if (!params.has(name)) params.set(name, value);
      if (params.size > PARAMETERS_MAX) throw new RequestError(400, `more than ${PARAMETERS_MAX} parameters`);
    }
  }
  return params;
}
