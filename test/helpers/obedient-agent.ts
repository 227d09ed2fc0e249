import {
  type Message,
  MigrateAgentConnectionAnswer,
  MigrateAgentConnectionCommand,
  type Packet,
  SetupMSListAnswer,
  SetupMSListCommand,
} from '../../src/protocol/index.js';
import { contentOf, type FakeAgent, only } from '../../src/testing/fake-agent.js';

/** What an agent answers to a command; undefined: nothing. */
export type Reply = (command: Message, packet: Packet) => Message | undefined;

export const yes: Reply = command => {
  if (SetupMSListCommand.is(command)) return SetupMSListAnswer.encode({ result: true });
  if (MigrateAgentConnectionCommand.is(command)) return MigrateAgentConnectionAnswer.encode({ result: true });
  return undefined;
};

/** An agent that is Ready answers what it is told from now on. @returns the commands that came, in short */
export function obeys(
  agent: FakeAgent,
  reply: Reply = yes,
): { readonly told: ReturnType<typeof contentOf>[]; reply: Reply } {
  const obedience = { told: [] as ReturnType<typeof contentOf>[], reply };
  const go = async () => {
    for (;;) {
      const packet = await agent.receive();
      obedience.told.push(contentOf(packet));
      const answer = obedience.reply(only(packet), packet);
      if (answer) agent.answer(packet, [answer]);
    }
  };
  // The link has ended.
  go().catch(() => {});
  return obedience;
}
