import type { Message } from '../../protocol/index.js';
import type { CommandSummary, JobRow } from '../store/store.js';
import { simpleName } from './command-classes.js';
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

/** A list of jobs is read once a second while somebody looks at the console: longer parameters, up to 1 MiB, are not read for it. */
const READ_AT_MOST = 65_536;

/** What a `sendCommand` job sends: the classes, without their packages. @returns undefined: it is another job, or its commands are too long */
export function commandNames({ cmd, params }: Pick<JobRow, 'cmd' | 'params'>): string | undefined {
  if (cmd !== 'sendCommand' || params.length > READ_AT_MOST) return undefined;
  const { commands } = JSON.parse(params) as CommandParams;
  return commands.map(({ class: type }) => simpleName(type)).join(', ');
}

/** A summary as the API shows it. */
function summaryObject(summary: CommandSummary) {
  const { total, waiting, taken, answered, failed, unsupported, refused, cancelled, unknown } = summary;
  return { total, waiting, sent: taken, answered, failed, unsupported, refused, cancelled, unknown };
}
