import type { Message } from '../../protocol/index.js';
import type { CommandSummary, JobRow } from '../store/store.js';
import { type CommandOrder, CommandRun, type CommandRunParts } from './command-run.js';

/** What `sendCommand` writes into its job. */
type CommandParams = Omit<CommandOrder, 'commands'> & {
  readonly commands: readonly { readonly class: string; readonly fields: Message['fields'] }[];
};

/** The work of a `sendCommand` job. @returns the result, as the API shows it; undefined: another server goes on with it */
export async function carryOutCommands(
  parts: CommandRunParts,
  { uuid, params }: Pick<JobRow, 'uuid'> & { readonly params: Readonly<Record<string, unknown>> },
  progress: (text: string) => Promise<void>,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  // Written by `sendCommand` of one of our own servers.
  const { commands, ...rules } = params as unknown as CommandParams;
  const messages = commands.map(({ class: type, fields }) => ({ type, fields }));
  const summary = await new CommandRun(parts, uuid, { ...rules, commands: messages }).run(progress);
  return summary && { commandsummary: summaryObject(summary) };
}

/** A summary as the API shows it. */
function summaryObject(summary: CommandSummary) {
  const { total, waiting, taken, answered, failed, unsupported, refused, cancelled, unknown } = summary;
  return { total, waiting, sent: taken, answered, failed, unsupported, refused, cancelled, unknown };
}
