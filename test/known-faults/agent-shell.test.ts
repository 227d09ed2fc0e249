import t from 'tap';
import { readyLink } from '../../src/agent/agent-state.js';
import { SetupMSListCommand } from '../../src/protocol/index.js';
import { bench, passes, turns } from '../helpers/agent-bench.js';
import { knownFault } from '../helpers/known-fault.js';

knownFault(t, 'agent: a way back to a host that leaves the list meanwhile ends', async t => {
  const file = 'guid=g\nhost=a,b,c\nhost.lb.check.interval=10\n';
  const { agent, a, b, clock } = await bench(t, { file });
  a.mood = 'refuse';
  agent.start();
  await passes(clock, () => readyLink(agent.state)?.host === 'b', 5_000);
  a.mood = 'accept';
  let register: (() => void) | undefined;
  a.onStartup = (link, startup) => {
    register = () => void link.register(startup).catch(() => {});
  };
  await passes(clock, () => register !== undefined, 11_000, 500);
  await b.last.send([
    SetupMSListCommand.encode({
      msList: ['b', 'c'],
      avoidMsList: ['a'],
      lbAlgorithm: 'static',
      lbCheckInterval: 10,
      triggerHostLb: false,
    }),
  ]);
  await turns();
  register?.();
  for (let i = 0; i < 20; i++) {
    await turns(30);
    await clock.advance(50);
  }
  t.equal(readyLink(agent.state)?.host, 'b');
});
