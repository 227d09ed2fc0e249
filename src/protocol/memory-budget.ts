import { LIMITS } from './limits.js';

/** The bytes that links may hold together. @default LIMITS */
export interface MemoryBudgetOptions {
  /** Links that are not Ready yet. */
  readonly beforeReady?: number;
  /** Ready links. */
  readonly ready?: number;
}

/**
 * Bytes of memory that all links of a server share: for packets that are not complete, not read, or not sent yet. Links
 * that are not Ready have a share of their own, so that they take nothing from Ready ones. When a share is full, the link
 * that holds most of it ends: one that takes little loses nothing to those that take much.
 * @example
 * const budget = new MemoryBudget();
 * const transport = await acceptTls(socket, { ...options, budget });
 */
export class MemoryBudget {
  readonly #beforeReady: Share;
  readonly #ready: Share;

  constructor({ beforeReady = LIMITS.allBytesBeforeReady, ready = LIMITS.allBytesReady }: MemoryBudgetOptions = {}) {
    this.#beforeReady = new Share(beforeReady);
    this.#ready = new Share(ready);
  }

  /** Bytes that are taken now. */
  get taken(): number {
    return this.#beforeReady.taken + this.#ready.taken;
  }

  /**
   * What one link takes, which is not Ready yet.
   * @param onEnd is called when the link has to end; by then it holds nothing
   */
  open(onEnd: () => void): MemoryAccount {
    return new MemoryAccount(this.#beforeReady, this.#ready, onEnd);
  }
}

/**
 * What one link has taken.
 * @example
 * const account = budget.open(() => link.destroy('the memory is full'));
 * account.take(packet.length);
 */
export class MemoryAccount {
  readonly #readyShare: Share;
  readonly #onEnd: () => void;
  #share: Share | undefined;
  #bytes = 0;

  constructor(share: Share, readyShare: Share, onEnd: () => void) {
    this.#share = share;
    this.#readyShare = readyShare;
    this.#onEnd = onEnd;
    share.accounts.add(this);
  }

  /** What it holds of the budget now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When there are too few bytes left, the link that holds most ends: this one, or another. */
  take(bytes: number): void {
    const share = this.#share;
    if (share === undefined) return;
    this.#bytes += bytes;
    share.taken += bytes;
    share.shrink();
  }

  /** Gives bytes back. */
  give(bytes: number): void {
    if (this.#share === undefined) return;
    this.#bytes -= bytes;
    this.#share.taken -= bytes;
  }

  /** The link is Ready: what it holds, and takes from now on, belongs to the share of Ready links. */
  becomeReady(): void {
    const share = this.#share;
    if (share === undefined || share === this.#readyShare) return;
    const held = this.#bytes;
    this.close();
    this.#share = this.#readyShare;
    this.#share.accounts.add(this);
    this.take(held);
  }

  /** Gives everything back, and takes nothing more. Idempotent. */
  close(): void {
    this.give(this.#bytes);
    this.#share?.accounts.delete(this);
    this.#share = undefined;
  }

  /** Closes it, and tells its link. */
  end(): void {
    this.close();
    this.#onEnd();
  }
}

class Share {
  readonly #bytes: number;
  /** Those that are not closed. */
  readonly accounts = new Set<MemoryAccount>();
  taken = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  shrink(): void {
    while (this.taken > this.#bytes) {
      let largest: MemoryAccount | undefined;
      for (const account of this.accounts) if (account.bytes > (largest?.bytes ?? 0)) largest = account;
      if (largest === undefined) return;
      largest.end();
    }
  }
}
