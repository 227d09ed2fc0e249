// Runs worlds, one after another, for `runSeeds`: a seed comes as a message, and what became of it goes back.
import { Simulation } from './simulation.js';
import { type WorldRules, worldOf } from './worlds.js';

const rules: WorldRules = JSON.parse(process.argv[2] ?? '{}');

process.on('message', (seed: number) => {
  void Simulation.run(worldOf(seed, rules)).then(({ failure, simulatedMs, happened }) =>
    process.send?.({ seed, failure, simulatedMs, happened }),
  );
});
process.on('disconnect', () => process.exit());
