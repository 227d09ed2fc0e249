import { FAULT_KINDS } from './schedule.js';
import { Simulation } from './simulation.js';

const [from = '1', to = '1', lines = '0'] = process.argv.slice(2);
for (let seed = Number(from); seed <= Number(to); seed++) {
  const started = process.cpuUsage();
  const result = await Simulation.run({ seed, servers: 2 + (seed % 3), agents: 1 + (seed % 4), kinds: FAULT_KINDS });
  if (Number(lines) > 0) console.log(result.transcript.table(Number(lines)));
  const { user, system } = process.cpuUsage(started);
  console.log(
    `seed ${seed}: ${(result.failure ?? 'ok').slice(0, 300)}; ${result.happened} happenings, ${result.simulatedMs / 1000} s in ${Math.round((user + system) / 1000)} ms`,
  );
}
