// node build/test/scenarios/stories.test.js --update writes what the program does now into test/scenarios/stories.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from '../helpers/root.js';
import { tellStory } from '../simulation/story.js';

const FOLDER = join(ROOT, 'test/scenarios/stories');
const isUpdate = process.argv.includes('--update');

for (const file of readdirSync(FOLDER).sort()) {
  t.test(`story: ${file}`, async t => {
    const { expected, actual } = await tellStory(join(FOLDER, file), { isUpdate });
    if (isUpdate) t.pass('written');
    else t.equal(actual, expected);
  });
}
