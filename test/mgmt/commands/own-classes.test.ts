import t from 'tap';
import { unsupportedBy } from '../../../src/mgmt/commands/own-classes.js';
import { CheckHealthCommand, DoctorCommand, type Message, rawBodyOf } from '../../../src/protocol/index.js';

const OURS_TO_COME = { type: 'com.muster.agent.api.DanceCommand', fields: {} };
const LARGE = { type: 'com.example.WorkCommand', fields: { text: 'x'.repeat(10_000) } };

t.test('own classes: only an agent that has named their capability gets them', async t => {
  const cases: readonly (readonly [string, readonly Message[], readonly string[], boolean])[] = [
    ['a class of CloudStack’s', [CheckHealthCommand.encode({})], [], true],
    ['with the capability', [DoctorCommand.encode({})], ['cancel', 'doctor'], true],
    ['without it', [DoctorCommand.encode({})], ['cancel', 'commandIds'], false],
    ['as one of several', [CheckHealthCommand.encode({}), DoctorCommand.encode({})], [], false],
    ['in a body that is gzipped', [LARGE, DoctorCommand.encode({})], [], false],
    ['a gzipped body without one', [LARGE], [], true],
    ['a class of ours that this server does not know', [OURS_TO_COME], ['doctor'], false],
    ['a name that is only a text', [{ type: 'x.Y', fields: { text: DoctorCommand.type } }], [], true],
  ];
  for (const [what, commands, capabilities, isSent] of cases) {
    const answers = unsupportedBy(name => capabilities.includes(name), rawBodyOf(commands));
    if (isSent) t.equal(answers, undefined, what);
    else {
      const expected = { type: /UnsupportedAnswer$/, fields: { result: false, details: /nothing was sent/ } };
      t.match(
        answers,
        commands.map(() => expected),
        what,
      );
    }
  }
});
