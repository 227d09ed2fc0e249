import t from 'tap';
import { AgentProperties, readProperties } from '../../../src/agent/agent-properties.js';
import { openJournal } from '../../../src/agent/commands/open-journal.js';
import { moveFileAtomic, writeFileAtomic } from '../../../src/lib/files/atomic-file.js';
import { memoryDisk } from '../../../src/lib/files/memory-disk.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { RecordingLog } from '../../helpers/recording-log.js';

t.test('memory disk: files are written whole, moved, read and removed, as on a real one', async t => {
  const disk = memoryDisk();
  await t.rejects(disk.readFile('/a/x'), { code: 'ENOENT' });
  await t.rejects(disk.stat('/a/x'), { code: 'ENOENT' });
  await t.rejects(disk.open('/a/x', 'r'), { code: 'ENOENT' });
  await t.rejects(writeFileAtomic('/a/x', 'one', { disk }), { code: 'FILE_WRITE_FAILED' }, 'there is no folder');
  await disk.makeFolder('/a');
  await writeFileAtomic('/a/x', 'one', { mode: 0o640, disk });
  t.equal((await disk.readFile('/a/x')).toString(), 'one');
  const { mode, size } = await disk.stat('/a/x');
  t.strictSame([mode & 0o777, size], [0o640, 3]);
  await writeFileAtomic('/a/x', 'two', { mode: 0o600, disk });
  t.equal((await disk.stat('/a/x')).mode & 0o777, 0o640, 'a file that is replaced keeps its mode');
  await moveFileAtomic('/a/x', '/a/y', disk);
  await t.rejects(disk.readFile('/a/x'), { code: 'ENOENT' });
  t.equal((await disk.readFile('/a/y')).toString(), 'two');
  await t.rejects(disk.open('/a/y', 'wx'), { code: 'EEXIST' });
  const file = await disk.open('/a/y', 'a');
  await file.appendFile(Buffer.from(' and three'));
  await file.datasync();
  await file.close();
  t.equal((await disk.readFile('/a/y')).toString(), 'two and three');
  await disk.rm('/a/y', { force: true });
  await disk.rm('/a/y', { force: true });
  await t.rejects(disk.lstat('/a/y'), { code: 'ENOENT' });
});

t.test("memory disk: an agent's properties are kept on it", async t => {
  const disk = memoryDisk();
  const [clock, log] = [new FakeClock(), new RecordingLog()];
  const { document } = await readProperties('/g/agent.properties', disk);
  const properties = new AgentProperties('/g/agent.properties', document, clock, log, disk);
  properties.set({ host: 'a,b@static', 'R.id': '7' });
  await properties.close();
  const again = await readProperties('/g/agent.properties', disk);
  t.equal(again.document.toString(), 'host=a,b@static\nR.id=7\n');
  t.strictSame(log.lines, []);
  const journal = await openJournal('/g', { clock, log, disk });
  await journal.close(0);
  t.strictSame(log.lines, [], 'nor has a journal that is not there yet anything to say');
});
