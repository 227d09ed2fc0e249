import type { MysqlHost } from './url.js';

/**
 * Which of several nodes is asked: one at a time, so that writers of the same rows meet in one node and not in Galera's
 * certification. It is left when it fails, for the next in the order of `db.url`; a server
 * never returns to a node only because it comes first.
 */
export class MysqlNodes {
  readonly #hosts: readonly MysqlHost[];
  #index = 0;
  /** Nodes that failed since the last one that worked. */
  #failed = 0;

  /** @param hosts at least one */
  constructor(hosts: readonly MysqlHost[]) {
    this.#hosts = hosts;
  }

  get current(): MysqlHost {
    const host = this.#hosts[this.#index];
    if (host === undefined) throw new Error('no hosts');
    return host;
  }

  get count(): number {
    return this.#hosts.length;
  }

  /**
   * Several connections may find out about the same node: only the first one moves on.
   * @returns whether there is another node that has not failed as well
   */
  failed(host: MysqlHost): boolean {
    if (host === this.current) {
      this.#index = (this.#index + 1) % this.#hosts.length;
      this.#failed++;
    }
    return this.#failed < this.#hosts.length;
  }

  worked(host: MysqlHost): void {
    if (host === this.current) this.#failed = 0;
  }
}
