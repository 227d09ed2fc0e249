import t from 'tap';
import { wrapWords } from '../../../src/lib/text/wrap-words.js';

t.test('wrap words: lines are broken between words', async t => {
  t.same(wrapWords('one two three', 7), ['one two', 'three']);
  t.same(wrapWords('one two three', 80), ['one two three']);
  t.same(wrapWords('a much-too-long word', 6), ['a', 'much-too-long', 'word']);
  t.same(wrapWords('', 10), ['']);
});
