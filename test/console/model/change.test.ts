import t from 'tap';
import { agentsByServer } from '../../../src/console/model/burndown.js';
import {
  changesOf,
  changesOfCanary,
  draftBeside,
  passagesOf,
  previewOf,
  undoOf,
} from '../../../src/console/model/change.js';
import { NOT_YET } from '../../../src/console/model/tracks.js';
import { fleet, step, track } from './helpers.js';

const VALUES = new Map([
  ['host', '10.0.0.1,10.0.0.2'],
  ['indirect.agent.lb.algorithm', 'static'],
  ['indirect.agent.lb.weights', ''],
  ['ping.interval', '60'],
]);

t.test('change: what is different, in the order in which it is made', async t => {
  const draft = new Map([
    ['ping.interval', ' 30 '],
    ['indirect.agent.lb.algorithm', 'rendezvous'],
    ['host', '10.0.0.1,10.0.0.2'],
  ]);
  const changes = changesOf(draft, VALUES);
  t.same(changes, [
    { name: 'indirect.agent.lb.algorithm', from: 'static', to: 'rendezvous' },
    { name: 'ping.interval', from: '60', to: '30' },
  ]);
  t.same(undoOf(changes), [
    { name: 'ping.interval', from: '30', to: '60' },
    { name: 'indirect.agent.lb.algorithm', from: 'rendezvous', to: 'static' },
  ]);
  t.same(changesOf(new Map(), VALUES), []);
});

t.test('change: a preview is asked for where lists would be others', async t => {
  const of = (...draft: [string, string][]) => previewOf(changesOf(new Map(draft), VALUES));
  t.equal(of(['ping.interval', '30']), undefined);
  t.same(of(['ping.interval', '30'], ['host', '10.0.0.2']), { host: '10.0.0.2' });
  t.same(of(['indirect.agent.lb.algorithm', 'rendezvous'], ['indirect.agent.lb.weights', '10.0.0.1=2']), {
    algorithm: 'rendezvous',
    weights: '10.0.0.1=2',
  });
});

t.test('change: what a canary changes, and what is left of the draft beside it', async t => {
  t.same(changesOfCanary({ host: '10.0.0.2', weights: '', algorithm: undefined }, VALUES), [
    { name: 'host', from: '10.0.0.1,10.0.0.2', to: '10.0.0.2' },
    { name: 'indirect.agent.lb.weights', from: '', to: '' },
  ]);
  const draft = new Map([
    ['host', '10.0.0.2'],
    ['ping.interval', '30'],
    ['indirect.agent.lb.weights', ''],
  ]);
  t.same(draftBeside(draft, { host: '10.0.0.2' }), new Map([...draft].slice(1)));
});

t.test('change: who would go from where to where, the most first', async t => {
  const all = fleet([track('a'), track('b'), track('c', { preferred: 2 }), track('d', { preferred: 0 })]);
  const would = (name: string, preferredhost: string, moves = true) => ({ hostid: `id-${name}`, preferredhost, moves });
  const agents = [
    would('c', '10.0.0.1'),
    would('a', '10.0.0.2'),
    would('b', '10.0.0.2'),
    would('d', '10.0.0.1', false),
  ];
  t.same(passagesOf(all, agents), [
    { from: '10.0.0.1', to: '10.0.0.2', agents: 2 },
    { from: '10.0.0.2', to: '10.0.0.1', agents: 1 },
  ]);
});

t.test('agents by server: as many as there were at each moment', async t => {
  const tracks = [
    track('stays'),
    track('moves', { steps: [step(150, 0, { kind: 'lost' }), step(250, 2)] }),
    track('comes', { first: NOT_YET, steps: [step(50, 2), step(900, 1)] }),
  ];
  const { times, counts } = agentsByServer(tracks, 2, 100, 400, 4);
  t.same(times, [100, 200, 300, 400]);
  t.same(counts, [
    [2, 1, 1, 1],
    [1, 1, 2, 2],
  ]);
});
