import t from 'tap';
import { AgentModel } from '../helpers/agent-model.js';
import { seededRandom } from '../helpers/seeded-random.js';

const SEED = 20_260_101;
const RUNS = 2_000;
const EVENTS = 200;

t.test(`simulation: a random walk breaks nothing (seed ${SEED}, ${RUNS} runs of ${EVENTS} events)`, async t => {
  const broken: string[] = [];
  for (let run = 0; run < RUNS && broken.length < 5; run++) {
    const model = new AgentModel(seededRandom(SEED + run));
    try {
      for (let at = 0; at < EVENTS; at++) model.step();
      model.mend();
    } catch (error) {
      broken.push(`seed ${SEED + run}: ${(error as Error).message}\n  ${model.history.join('\n  ')}`);
    }
  }
  t.same(broken, []);
});
