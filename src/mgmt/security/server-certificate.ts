import { createSecureContext, type SecureContext } from 'node:tls';
import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { Semaphore } from '../../lib/semaphore.js';
import { secureContext } from '../../protocol/index.js';
import { MGMT_LIMITS } from '../config/limits.js';

/** What a server presents to agents. Texts are PEM. */
export interface ServedCertificate {
  /** Whose certificates agents may present: a Java agent presents its own when it finds its CA among them. @default any */
  readonly clientCaPem?: string;
  readonly chainPem: string;
  readonly keyPem: string;
  /** Until when it is valid: milliseconds since 1970. */
  readonly notAfter: number;
  /** Sentences for the log. @default [] */
  readonly warnings?: readonly string[];
}

/** Where certificates come from: issued by the CA in the store, or read from an operator's files. */
export interface CertificateSource {
  /** Undefined: it is issued, and can be issued again. */
  readonly setting: 'tls.cert' | 'api.tls.cert' | undefined;
  obtain(): Promise<ServedCertificate>;
}

/** The certificate in use. Times are milliseconds since 1970. */
interface Current {
  readonly context: SecureContext;
  readonly apiContext: SecureContext;
  readonly obtainedAt: number;
  readonly notAfter: number;
}

/** The server's TLS contexts for new connections. A certificate of the store's CA is renewed before it expires. */
export class ServerCertificate {
  readonly #source: CertificateSource;
  readonly #clock: Clock;
  readonly #log: Log;
  #current: Current;
  #timer: Timer | undefined;
  #retry: Timer | undefined;
  #isStopped = false;
  /** What is obtained last is in use. */
  readonly #turns = new Semaphore();

  private constructor(source: CertificateSource, clock: Clock, log: Log, current: Current) {
    this.#source = source;
    this.#clock = clock;
    this.#log = log;
    this.#current = current;
    this.#watch();
  }

  static async open(source: CertificateSource, clock: Clock, log: Log): Promise<ServerCertificate> {
    return new ServerCertificate(source, clock, log, await obtain(source, clock, log));
  }

  /** When it ends: milliseconds since 1970. */
  get ends(): number {
    return this.#current.notAfter;
  }

  /** For the agents' port. */
  get context(): SecureContext {
    return this.#current.context;
  }

  /** For the port of the HTTP API: whatever clients speak, from TLS 1.2 on. */
  get apiContext(): SecureContext {
    return this.#current.apiContext;
  }

  /**
   * Obtains a certificate again. When that fails, the present one stays; one that is issued is tried again, since the
   * reason may be that the CA has changed. Never rejects.
   */
  async reload(): Promise<void> {
    this.#retry?.cancel();
    await this.#turns.run(async () => {
      if (this.#isStopped) return;
      try {
        this.#current = await obtain(this.#source, this.#clock, this.#log);
        const notAfter = new Date(this.#current.notAfter).toISOString();
        this.#log.info('Certificate in use', { from: this.#source.setting ?? 'the CA', notAfter });
      } catch (error) {
        this.#log.error('No other certificate could be had; the former one stays', { reason: reasonOf(error) });
        if (this.#source.setting !== undefined) return;
        this.#retry = this.#clock.after(MGMT_LIMITS.certificateRetryMs, () => void this.reload());
      }
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#retry?.cancel();
  }

  #watch(): void {
    this.#timer = this.#clock.after(MGMT_LIMITS.certificateCheckMs, () => {
      const { obtainedAt, notAfter } = this.#current;
      const due = isRenewalDue(obtainedAt, notAfter, this.#clock.wallTime());
      const { setting } = this.#source;
      if (due && setting === undefined) void this.reload();
      else if (due)
        this.#log.warn('An own certificate ends soon', { setting, notAfter: new Date(notAfter).toISOString() });
      this.#watch();
    });
  }
}

/** Whether less than a third of its validity is left. All in milliseconds since 1970. */
export function isRenewalDue(obtainedAt: number, notAfter: number, now: number): boolean {
  return notAfter - now < (notAfter - obtainedAt) / 3;
}

async function obtain(source: CertificateSource, clock: Clock, log: Log): Promise<Current> {
  const { chainPem, keyPem, clientCaPem, notAfter, warnings = [] } = await source.obtain();
  for (const warning of warnings) log.warn(warning);
  const credentials = { cert: chainPem, key: keyPem };
  return {
    context: secureContext({ ...credentials, ...(clientCaPem !== undefined && { ca: clientCaPem }) }),
    apiContext: apiSecureContext(credentials),
    obtainedAt: clock.wallTime(),
    notAfter,
  };
}

/** The TLS context of the HTTP API, from PEM texts. */
export function apiSecureContext(credentials: { readonly cert: string; readonly key: string }): SecureContext {
  return createSecureContext({ ...credentials, minVersion: 'TLSv1.2' });
}
