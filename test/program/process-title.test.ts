import t from 'tap';
import { hideSecrets } from '../../src/program/process-title.js';

t.test('process title: secrets of the command line are taken out, and nothing else', async t => {
  let title: string | undefined;
  const setTitle = (text: string) => {
    title = text;
  };
  t.same(hideSecrets(['node', 'mgmt.js', 'file', 'port=1', 'db.url=sqlite:x', '=x'], setTitle), []);
  t.equal(title, undefined, 'without secrets it stays');
  const argv = ['node', 'agent.js', 'db.url=mysql://u:p%40ss@h:1,i/db?tls=required', 'enrollment.token=abc', 'port=1'];
  t.same(hideSecrets(argv, setTitle), ['db.url', 'enrollment.token']);
  t.equal(title, 'node agent.js db.url=mysql://u:…@h:1,i/db?tls=required enrollment.token=… port=1');
});
