import { type Message, StartupRoutingCommand } from '../../protocol/index.js';
import type { StartupDescription } from './resource.js';

/** The fields that the agent adds to what a resource says of itself: who it is, and where it belongs. */
export type OwnStartupFields = Parameters<typeof StartupRoutingCommand.encode>[0];

const STARTUP_CLASS = /^[\w.]+\.Startup\w*Command$/;
/** As many startup commands a resource may have. */
const MOST_COMMANDS = 16;

/**
 * The commands of Startup. What only Muster's programs say, and the tags of the host, are in the first one that is a
 * StartupRoutingCommand, or else in the first one.
 * @throws TypeError when the description cannot be used
 */
export function startupCommands(
  described: StartupDescription,
  { muster, hostTags, ...own }: OwnStartupFields,
): readonly Message[] {
  if (!isList(described)) {
    return [StartupRoutingCommand.encode({ ...described, ...own, muster, hostTags: tagsOf(described, hostTags) })];
  }
  if (described.length === 0 || described.length > MOST_COMMANDS || !described.every(isStartup)) {
    throw new TypeError(
      `the resource must describe this machine by fields, or by 1 to ${MOST_COMMANDS} startup commands`,
    );
  }
  const main = Math.max(described.findIndex(StartupRoutingCommand.is), 0);
  return described.map((command, index) => {
    const fields = { ...command.fields, ...own };
    if (index !== main) return { type: command.type, fields };
    const ofMain = { ...fields, muster, hostTags: tagsOf(command.fields, hostTags) };
    return StartupRoutingCommand.is(command)
      ? StartupRoutingCommand.encode(ofMain)
      : { type: command.type, fields: ofMain };
  });
}

/** The name that a resource gives to its machine; undefined when it gives none. */
export function machineName(described: StartupDescription): string | undefined {
  const { name } = (isList(described) ? described.find(StartupRoutingCommand.is)?.fields : described) ?? {};
  return typeof name === 'string' && name !== '' ? name : undefined;
}

/** The same description, of a machine of another name. */
export function withName(described: StartupDescription, name: string): StartupDescription {
  if (!isList(described)) return { ...described, name };
  return described.map(({ type, fields }) => ({ type, fields: { ...fields, name } }));
}

function isList(described: StartupDescription): described is readonly Message[] {
  return Array.isArray(described);
}

function isStartup(command: unknown): command is Message {
  const { type, fields } = (command ?? {}) as Partial<Message>;
  return typeof type === 'string' && STARTUP_CLASS.test(type) && typeof fields === 'object' && fields !== null;
}

function tagsOf({ hostTags }: Readonly<Record<string, unknown>>, own: readonly unknown[] = []): readonly unknown[] {
  return [...new Set([...(Array.isArray(hostTags) ? hostTags : []), ...own])];
}
