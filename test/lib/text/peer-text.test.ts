import t from 'tap';
import { PEER_TEXT_LENGTH, peerText, peerTextIn } from '../../../src/lib/text/peer-text.js';

t.test('peer text: what people write stays as it is', async t => {
  for (const text of ['', 'sig.kill', 'kvm-1.example.org', 'Zürich, 東京 🚀', 'a  b']) t.equal(peerText(text), text);
});

t.test('peer text: line breaks are blanks, control and format characters are left out', async t => {
  t.equal(peerText('bye\0bye'), 'byebye');
  t.equal(peerText('one\r\ntwo\u2028three\u2029\x1b[31mred\n'), 'one two three [31mred ');
  t.equal(peerText('a\u202eb\u200bc\ufeffd'), 'abcd');
});

t.test('peer text: it is cut, and never in the middle of a character', async t => {
  t.equal(peerText('x'.repeat(70_000)).length, PEER_TEXT_LENGTH);
  t.equal(peerText('ab🚀', 3), 'ab');
  t.equal(peerText('a\ud83d b'), 'a b');
});

t.test('peer text: of a field that is no text there is none', async t => {
  t.equal(peerTextIn('one\ntwo'), 'one two');
  t.equal(peerTextIn(''), '');
  for (const field of [undefined, null, 7, {}, ['text']]) t.equal(peerTextIn(field), undefined);
});
