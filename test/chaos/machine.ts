import type { Clocks } from './clocks.js';
import { LoggingProcess, type ProgramSettings } from './logging-process.js';

/** One process at a time, which can be killed, and stand still. */
export abstract class Machine {
  readonly name: string;
  readonly #clocks: Clocks;
  #process: LoggingProcess | undefined;

  constructor(name: string, clocks: Clocks) {
    this.name = name;
    this.#clocks = clocks;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  protected run(settings: Omit<ProgramSettings, 'env'>): void {
    this.#process = new LoggingProcess({ ...settings, env: this.#clocks.environmentOf(this.name) });
  }

  async kill(): Promise<void> {
    const killed = this.#process;
    await killed?.kill();
    if (killed) this.#clocks.forget(killed.pid);
  }

  freeze(): void {
    this.#process?.freeze();
  }

  thaw(): void {
    this.#process?.thaw();
  }
}
