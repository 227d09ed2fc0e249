import t from 'tap';
import { CommandRun, type CommandRunParts } from '../../../src/mgmt/commands/command-run.js';
import type { NewCommandOutcome } from '../../../src/mgmt/store/store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { CheckHealthCommand } from '../../../src/protocol/index.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { RecordingLog } from '../../helpers/recording-log.js';

const NONE = {
  taken: 0,
  failed: 0,
  unsupported: 0,
  refused: 0,
  unknown: 0,
  cancelled: 0,
  answered: 0,
  answerLength: 0,
};

t.test('regression: command-run: a job that is left is over only when what was heard is written', async t => {
  const clock = new FakeClock();
  const written: NewCommandOutcome[] = [];
  let isAway = true;
  let isOurs = true;
  const store: Partial<CommandRunParts['store']> = {
    commandSummary: async () => ({ ...NONE, total: 1, waiting: 1 }),
    takenCommands: async () => (isOurs ? [] : undefined),
    async takeCommands() {
      isOurs = false;
      return [1];
    },
    recalledCommands: async () => [],
    async commandOutcomes(_, outcomes) {
      if (isAway) throw new StoreError('STORE_UNAVAILABLE', 'commandOutcomes');
      written.push(...outcomes);
    },
  };
  const parts: Partial<CommandRunParts> = {
    ...{ clock, log: new RecordingLog(), msid: 1, store: store as CommandRunParts['store'] },
    sender: { send: async () => ({ kind: 'refused', reason: 'the agent cannot keep it' }) },
    serverOf: () => 1,
    confirm() {},
    stopping: new AbortController().signal,
  };
  const rules = { maxConcurrency: 10, maxErrors: 10, canary: 0, wait: 7, inSequence: false, stopOnError: true };
  const order = { ...rules, commands: [CheckHealthCommand.encode({})] };
  const run = new CommandRun(parts as CommandRunParts, '00000000-0000-4000-8000-000000000001', order);
  let isOver = false;
  const over = run
    .run(async () => {})
    .then(summary => {
      isOver = true;
      return summary;
    });
  await clock.advance(30_000);
  t.notOk(isOver, 'this server could get it back, and would ask again');
  isAway = false;
  await clock.advance(30_000);
  t.equal(await over, undefined);
  t.match(written, [{ hostId: 1, kind: 'refused' }]);
});
