import t from 'tap';
import { persistKills } from './persist-kills.js';

// On disk: in memory a writer in place is too quick to be killed in the middle.

t.test('persist: 20 kills from seed 1 while an agent persists: its files are whole each time', async t => {
  const result = await persistKills({ kills: 20, seed: 1, folder: t.testdir() });
  t.match(result, { kills: 20, wrong: undefined });
  t.equal(result.old + result.new, 20);
});

t.test('persist: a writer that writes in place is found within 100 kills from seed 1', async t => {
  const { wrong } = await persistKills({ kills: 100, seed: 1, folder: t.testdir(), how: 'in-place' });
  t.match(wrong, /neither list/);
});
