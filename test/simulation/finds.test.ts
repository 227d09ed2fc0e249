// The plans of `finds.ts`, in the program as it is. `npm run simulate:mutants` runs each with its mend undone.
import t from 'tap';
import { FINDS, worldOfFind } from './finds.js';
import { MUTANTS, mutated } from './mutants.js';
import { Simulation } from './simulation.js';
import { worldOf } from './worlds.js';

for (const find of FINDS) {
  t.test(`regression: ${find.name}`, async t => {
    const { seed, rules, faults } = worldOfFind(find);
    const { failure, missed } = await Simulation.run(worldOf(seed, rules, faults));
    t.equal(failure, undefined);
    t.same(missed, [], 'all of it has happened');
  });
}

t.test('simulation: each find has a mutant that undoes its mend, and each mutant fits the program', async t => {
  const names = MUTANTS.map(({ name }) => name);
  t.equal(new Set(names).size, names.length);
  t.same(
    FINDS.filter(({ undone }) => !names.includes(undone)),
    [],
  );
  for (const mutant of MUTANTS) mutated(mutant);
});
