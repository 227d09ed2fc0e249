import cookies from '@fastify/cookie';
import helmet from '@fastify/helmet';
import files from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RequestParams } from '../../../api/signature.js';
import { MGMT_LIMITS } from '../../config/limits.js';
import { ApiError } from '../api-error.js';
import type { Console } from './console.js';
import { isOfOwnPage, isSameOrigin } from './own-page.js';
import type { Session } from './sessions.js';

export interface ConsoleRoutesParts {
  /** The folder with the page, as it was built. */
  readonly folder: string;
  /** Undefined while the server starts. */
  console(): Pick<Console, 'signIn' | 'sessions' | 'feed'> | undefined;
  readonly isTls: boolean;
  /** The parameters of a request's form. */
  formOf(request: FastifyRequest): RequestParams;
  /** The client has proved that it has a key. */
  known(request: FastifyRequest): void;
}

/** Everything comes from this server, and nothing is evaluated. */
const POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'"],
  connectSrc: ["'self'"],
  formAction: ["'self'"],
  baseUri: ["'none'"],
  frameAncestors: ["'none'"],
};
/** Assets have a digest of their content in their names. */
const ASSET_SECONDS = 31_536_000;
const PATH = '/console';

/** The console: its page at `/`, its sessions, and the stream of what changes. */
export class ConsoleRoutes {
  readonly #parts: ConsoleRoutesParts;
  readonly #cookie: string;

  constructor(parts: ConsoleRoutesParts) {
    this.#parts = parts;
    // A browser takes a cookie with this prefix over TLS alone, for this host alone.
    this.#cookie = parts.isTls ? '__Host-muster' : 'muster';
  }

  /** @param app its routes are added */
  register(app: FastifyInstance): void {
    const { folder } = this.#parts;
    app.register(cookies);
    app.register(helmet, {
      contentSecurityPolicy: { useDefaults: false, directives: POLICY },
      // A browser would refuse this host's other ports over HTTP, and let nobody past a certificate of the cluster's own CA.
      strictTransportSecurity: false,
    });
    app.register(files, {
      root: folder,
      wildcard: false,
      index: 'index.html',
      cacheControl: false,
      setHeaders(reply, path) {
        const isPage = path.endsWith('index.html');
        reply.setHeader('Cache-Control', isPage ? 'no-cache' : `public, max-age=${ASSET_SECONDS}, immutable`);
      },
    });
    app.post(`${PATH}/session`, (request, reply) => this.#signIn(request, reply));
    app.get(`${PATH}/session`, async (request, reply) => this.#show(reply, this.sessionOf(request)));
    app.delete(`${PATH}/session`, async (request, reply) => this.#signOut(request, reply));
    app.get(`${PATH}/stream`, (request, reply) => this.#stream(request, reply));
  }

  /** The session of a request of the console's page; undefined when there is none, or when another page has sent it. */
  sessionOf(request: FastifyRequest): Session | undefined {
    return isOfOwnPage(request.headers) ? this.#sessionIn(request) : undefined;
  }

  #sessionIn(request: FastifyRequest): Session | undefined {
    const session = this.#parts.console()?.sessions.find(request.cookies[this.#cookie]);
    if (session !== undefined) this.#parts.known(request);
    return session;
  }

  async #signIn(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const console = this.#parts.console();
    if (console === undefined) return failure(reply, 503, 'this management server is starting');
    if (!isOfOwnPage(request.headers)) return failure(reply, 403, 'only the console’s own page can sign in');
    const form = this.#parts.formOf(request);
    const pair = { apiKey: form.get('apiKey') ?? '', secretKey: form.get('secretKey') ?? '' };
    try {
      const { token, session } = await console.signIn(pair, request.ip);
      this.#parts.known(request);
      const maxAge = MGMT_LIMITS.consoleSessionMs / 1_000;
      return this.#show(reply.setCookie(this.#cookie, token, { ...this.#attributes, maxAge }), session);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return failure(reply, error.code, error.code === 401 ? 'The key or the secret is wrong.' : error.message);
    }
  }

  #signOut(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const session = this.sessionOf(request);
    if (session === undefined) return failure(reply, 401, 'there is no session');
    this.#parts.console()?.sessions.end(session);
    return reply.clearCookie(this.#cookie, this.#attributes).code(204).send();
  }

  get #attributes() {
    return { path: '/', httpOnly: true, sameSite: 'strict', secure: this.#parts.isTls } as const;
  }

  #show(reply: FastifyReply, session: Session | undefined): FastifyReply {
    if (session === undefined) {
      const isStarting = this.#parts.console() === undefined;
      return isStarting
        ? failure(reply, 503, 'this management server is starting')
        : failure(reply, 401, 'there is no session');
    }
    const { name, role } = session.key;
    return reply.header('Cache-Control', 'no-store').send({ name, role, ends: session.claim.ends });
  }

  #stream(request: FastifyRequest, reply: FastifyReply): FastifyReply | undefined {
    const console = this.#parts.console();
    const session = isSameOrigin(request.headers) ? this.#sessionIn(request) : undefined;
    if (console === undefined) return failure(reply, 503, 'this management server is starting');
    if (session === undefined) return failure(reply, 401, 'there is no session');
    const { sessions, feed } = console;
    if (feed.size >= MGMT_LIMITS.consoleSubscribers) return failure(reply, 503, 'too many browsers follow this server');
    reply.hijack();
    const { raw } = reply;
    const token = request.cookies[this.#cookie];
    const headers = {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    };
    raw.writeHead(200, headers);
    const subscriber = {
      write(text: string) {
        raw.write(text);
        if (raw.writableLength > MGMT_LIMITS.consoleBacklogBytes) raw.destroy();
      },
      end: () => void raw.end(),
      isGood: () => !raw.destroyed && sessions.find(token) !== undefined,
    };
    raw.once('close', feed.subscribe(subscriber, lastIdOf(request)));
    return undefined;
  }
}

/** By the header when the browser itself comes again, else by the query. */
function lastIdOf({ headers, query }: FastifyRequest): string | undefined {
  const { 'last-event-id': header } = headers;
  const { after } = query as { readonly after?: unknown };
  const lastId = header ?? after;
  return typeof lastId === 'string' ? lastId : undefined;
}

function failure(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).header('Cache-Control', 'no-store').send({ error: text });
}
