import type { SecureContext } from 'node:tls';
import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { secureContext } from '../../protocol/index.js';
import { MGMT_LIMITS } from '../config/limits.js';

/** What a server shows to agents, and until when it is good. */
export interface ServedCertificate {
  readonly chainPem: string;
  readonly keyPem: string;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
  readonly warnings?: readonly string[];
}

/** Where certificates come from: issued by the CA in the store, or read from the operator's files. */
export interface CertificateSource {
  readonly kind: 'issued' | 'files';
  obtain(): Promise<ServedCertificate>;
}

/** A source of one's own for a test, or a certificate that is never renewed. */
interface Current {
  readonly context: SecureContext;
  readonly obtainedAt: number;
  readonly notAfter: number;
}

/** The server's TLS context: new connections get the current one, and the certificate in it does not grow old. */
export class ServerCertificate {
  readonly #source: CertificateSource;
  readonly #clock: Clock;
  readonly #log: Log;
  #current: Current;
  #timer: Timer | undefined;

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

  get context(): SecureContext {
    return this.#current.context;
  }

  /** Anew from the source; what was good stays when that fails. */
  async reload(): Promise<void> {
    try {
      this.#current = await obtain(this.#source, this.#clock, this.#log);
      this.#log.info('Certificate in use', { notAfter: new Date(this.#current.notAfter).toISOString() });
    } catch (error) {
      this.#log.error('No other certificate could be had; the former one stays', { reason: reasonOf(error) });
    }
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #watch(): void {
    this.#timer = this.#clock.after(MGMT_LIMITS.certificateCheckMs, () => {
      const { obtainedAt, notAfter } = this.#current;
      const due = isRenewalDue(obtainedAt, notAfter, this.#clock.wallTime());
      if (due && this.#source.kind === 'issued') void this.reload();
      else if (due)
        this.#log.warn('The certificate in tls.cert ends soon', { notAfter: new Date(notAfter).toISOString() });
      this.#watch();
    });
  }
}

/** When less than a third of its life is left. */
export function isRenewalDue(obtainedAt: number, notAfter: number, now: number): boolean {
  return notAfter - now < (notAfter - obtainedAt) / 3;
}

async function obtain(source: CertificateSource, clock: Clock, log: Log): Promise<Current> {
  const { chainPem, keyPem, notAfter, warnings = [] } = await source.obtain();
  for (const warning of warnings) log.warn(warning);
  return { context: secureContext({ cert: chainPem, key: keyPem }), obtainedAt: clock.wallTime(), notAfter };
}
