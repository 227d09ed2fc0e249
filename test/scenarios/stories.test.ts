// node build/test/scenarios/stories.test.js --update writes what the program does now into test/scenarios/stories.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from '../helpers/root.js';
import { testFolder } from '../helpers/scratch.js';
import { checkStory } from './story-file.js';

const FOLDER = join(ROOT, 'test/scenarios/stories');
const isUpdate = process.argv.includes('--update');

for (const file of readdirSync(FOLDER).sort()) {
  t.test(`story: ${file}`, async t => {
    const { expected, actual } = await checkStory(join(FOLDER, file), { isUpdate });
    t.equal(actual, expected);
  });
}

const SHORT = '# What is told.\n\nworld servers=1 agents=1\n\nCOMMAND\n';

t.test('story: an update writes what a command leads to', async t => {
  const file = join(testFolder(t), 'where.txt');
  writeFileSync(file, SHORT.replace('COMMAND', 'where'));
  await checkStory(file, { isUpdate: true });
  t.match(readFileSync(file, 'utf8'), /^where\n----\n +0\.000 {2}agent-1 {2}is on 192\.0\.2\.1\n$/m);
});

t.test('regression: story: one that fails is not written, and is no success', async t => {
  const wrong = [
    ['kil server-1', /unknown command: kil server-1/],
    ['kill server-9', /there is no server-9/],
    ['passes 5m', /wrong\.txt:5: passes 5m: seconds are needed/],
    ['passes', /wrong\.txt:5: passes: seconds are needed/],
    ['passes soon', /wrong\.txt:5: passes soon: seconds/],
  ] as const;
  for (const [command, message] of wrong) {
    const file = join(testFolder(t), 'wrong.txt');
    const text = SHORT.replace('COMMAND', command);
    writeFileSync(file, text);
    await t.rejects(checkStory(file, { isUpdate: true }), { message }, command);
    t.equal(readFileSync(file, 'utf8'), text, command);
  }
});
