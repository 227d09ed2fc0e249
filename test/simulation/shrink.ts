import type { Planned, Shape } from './schedule.js';

/** What a world is made of. */
export interface WorldPlan extends Shape {
  readonly faults: readonly Planned[];
}

export interface ShrinkOptions {
  /** Runs a world, and says whether it fails as the first one does. */
  fails(world: WorldPlan): Promise<boolean>;
  /** Worlds that may be run. @default 300 */
  readonly attempts?: number;
  /** Worlds that are run at the same time. @default 1 */
  readonly atOnce?: number;
  /** Called when worlds have been run. */
  onProgress?(shortest: WorldPlan, tried: number): void;
}

/**
 * Finds a small world that fails as well: leaves out halves of the faults, quarters and so on, down to single ones; then
 * agents and servers.
 */
export async function shrink(world: WorldPlan, options: ShrinkOptions): Promise<WorldPlan> {
  const shrinking = new Shrinking(world, options);
  await shrinking.leaveOutFaults();
  // Faults may be about machines that are not there any more.
  if (await shrinking.leaveOutMachines()) await shrinking.leaveOutFaults();
  return shrinking.shortest;
}

class Shrinking {
  shortest: WorldPlan;
  readonly #options: ShrinkOptions;
  #tried = 0;

  constructor(world: WorldPlan, options: ShrinkOptions) {
    this.shortest = world;
    this.#options = options;
  }

  async leaveOutFaults(): Promise<void> {
    for (
      let size = Math.ceil(this.shortest.faults.length / 2);
      size >= 1;
      size = size === 1 ? 0 : Math.ceil(size / 2)
    ) {
      for (let at = 0; at < this.shortest.faults.length; ) {
        const { faults } = this.shortest;
        const starts = Array.from({ length: this.#options.atOnce ?? 1 }, (_, index) => at + index * size);
        const candidates = starts
          .filter(start => start < faults.length)
          .map(start => ({ ...this.shortest, faults: [...faults.slice(0, start), ...faults.slice(start + size)] }));
        const found = await this.#firstOf(candidates);
        if (found === 'no more attempts') return;
        at += (found ?? candidates.length) * size;
      }
    }
  }

  /** @returns whether there are fewer of them */
  async leaveOutMachines(): Promise<boolean> {
    const { agents, servers } = this.shortest;
    for (const machines of ['agents', 'servers'] as const) {
      while (this.shortest[machines] > 1) {
        const fewer = { ...this.shortest, [machines]: this.shortest[machines] - 1 };
        if ((await this.#firstOf([fewer])) !== 0) break;
      }
    }
    return this.shortest.agents < agents || this.shortest.servers < servers;
  }

  /** The first of these worlds that fails as well becomes the shortest one. @returns which; undefined: none */
  async #firstOf(worlds: readonly WorldPlan[]): Promise<number | 'no more attempts' | undefined> {
    const { fails, attempts = 300, onProgress } = this.#options;
    if (this.#tried >= attempts) return 'no more attempts';
    this.#tried += worlds.length;
    const outcomes = await Promise.all(worlds.map(world => fails(world)));
    const found = outcomes.indexOf(true);
    this.shortest = worlds[found] ?? this.shortest;
    onProgress?.(this.shortest, this.#tried);
    return found === -1 ? undefined : found;
  }
}
