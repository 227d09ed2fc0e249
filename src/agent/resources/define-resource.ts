import { GetHostStatsCommand, type Message, type MessageType, type Schema } from '../../protocol/index.js';
import { hostStatsCommand } from './host-stats-command.js';
import { describeMachine } from './machine.js';
import type { CommandContext, PingReport, Resource, ResourceHandle, StartupDescription } from './resource.js';
import { isTag, MOST_TAGS, TAG_FORM } from './tags.js';

/** The fields of an answer. The others are those of its class. */
export interface AnswerFields {
  /** Whether the command was carried out. */
  readonly result: boolean;
  /** Why not, or anything else for people. */
  readonly details?: string | undefined;
  readonly [field: string]: unknown;
}

/**
 * Carries out the commands of one class. What it throws is answered result=false, with the message as `details`.
 * @param fields those of the command, with unknown ones, as `Message.fields`
 */
export type CommandHandler = (
  fields: Readonly<Record<string, unknown>>,
  context: CommandContext,
) => AnswerFields | Promise<AnswerFields>;

/** Likewise, with the fields of the command checked. `typedCommand` makes one. */
export interface TypedCommand {
  /** Reads the command, and writes its answer. */
  handle(command: Message, context: CommandContext): Promise<Message>;
}

/** A resource, as functions by the class names of commands. */
export interface ResourceDefinition {
  /** Letters, digits and underscores: see `Resource`. */
  readonly name: string;
  /** Tags of the host, beside those of the setting `host.tags`. @default [] */
  readonly tags?: readonly string[];
  /** Called for each link. @default a description of this machine */
  startup?(): StartupDescription | Promise<StartupDescription>;
  /** Called for each ping. */
  ping?(): PingReport | Promise<PingReport>;
  /** Called once, before the agent dials, which does not wait for it. What it throws, or rejects with, is logged. */
  start?(handle: ResourceHandle): void | Promise<void>;
  /**
   * What carries out a command, by its full class name. The answer's class has the command's name with `Answer` in the
   * place of `Command`, or behind it. GetHostStatsCommand is answered with the figures of this machine, unless it is here.
   */
  readonly commands: Readonly<Record<string, CommandHandler | TypedCommand>>;
}

/**
 * Makes a resource of functions, one for each class of commands.
 * @example
 * export default defineResource({
 *   name: 'Greeter',
 *   tags: ['greets'],
 *   commands: {
 *     'com.example.GreetCommand': async ({ name }, { signal }) => ({ result: true, greeting: `Hello, ${name}` }),
 *   },
 * });
 * @throws TypeError when the definition cannot be used
 */
export function defineResource(definition: ResourceDefinition): Resource {
  const { name, tags = [], commands } = definition;
  if (typeof name !== 'string' || !/^\w+$/.test(name)) {
    throw new TypeError('the name of a resource has letters, digits and underscores alone');
  }
  if (!Array.isArray(tags) || tags.length > MOST_TAGS || !tags.every(isTag)) {
    throw new TypeError(`the tags of a resource are an array of at most ${MOST_TAGS} texts, each of ${TAG_FORM}`);
  }
  const handlers = handlersOf(commands);
  return {
    name,
    tags,
    startup: () => (definition.startup === undefined ? describeMachine() : definition.startup()),
    answer: (command, context) => handlers.get(command.type)?.handle(command, context),
    ...(definition.ping && { ping: () => definition.ping?.() ?? {} }),
    ...(definition.start && { start: (handle: ResourceHandle) => definition.start?.(handle) }),
  };
}

/**
 * A command whose fields are checked before it is carried out, and whose answer has a class of its own. A field of a wrong
 * type is answered result=false.
 * @example
 * const GreetCommand = command('com.example.GreetCommand', { name: text });
 * const GreetAnswer = answer('com.example.GreetAnswer', { greeting: text });
 * const commands = {
 *   [GreetCommand.type]: typedCommand(GreetCommand, GreetAnswer, ({ name = 'nobody' }) => ({
 *     result: true,
 *     greeting: `Hello, ${name}`,
 *   })),
 * };
 */
export function typedCommand<C extends Schema, A extends Schema>(
  command: MessageType<C>,
  answer: MessageType<A>,
  handler: (
    fields: ReturnType<MessageType<C>['decode']>,
    context: CommandContext,
  ) => TypedAnswer<A> | Promise<TypedAnswer<A>>,
): TypedCommand {
  return {
    async handle(message, context) {
      const fields = await handler(command.decode(message), context);
      ensureAnswer(message.type, fields);
      return answer.encode(fields);
    },
  };
}

/** The fields of an answer of a class. */
export type TypedAnswer<A extends Schema> = Parameters<MessageType<A>['encode']>[0] & { readonly result: boolean };

function handlersOf(commands: ResourceDefinition['commands']): ReadonlyMap<string, TypedCommand> {
  if (typeof commands !== 'object' || commands === null) {
    throw new TypeError('the commands of a resource are an object of functions by class name');
  }
  const own = GetHostStatsCommand.type in commands ? {} : { [GetHostStatsCommand.type]: hostStatsCommand() };
  return new Map(
    Object.entries({ ...own, ...commands }).map(([type, handler]) => {
      if (typeof handler === 'function') return [type, plainCommand(handler)] as const;
      if (typeof handler?.handle === 'function') return [type, handler] as const;
      throw new TypeError(`the command ${type} of a resource must be a function, or made by typedCommand`);
    }),
  );
}

function plainCommand(handler: CommandHandler): TypedCommand {
  return {
    async handle({ type, fields }, context) {
      const answered = await handler(fields, context);
      ensureAnswer(type, answered);
      const common = { contextMap: {}, wait: 0, bypassHostMaintenance: false };
      return { type: answerClassOf(type), fields: { ...answered, ...common } };
    },
  };
}

/** @throws TypeError */
function ensureAnswer(type: string, answered: unknown): asserts answered is AnswerFields {
  const isObject = typeof answered === 'object' && answered !== null && !Array.isArray(answered);
  if (isObject && 'result' in answered && typeof answered.result === 'boolean') return;
  const what = isObject
    ? 'an object without it'
    : answered === null
      ? 'null'
      : `a value of the type ${typeof answered}`;
  throw new TypeError(`the resource must answer ${type} by an object with result: true or false; it was ${what}`);
}

/** @example answerClassOf('com.example.DoCommand'); // 'com.example.DoAnswer' */
function answerClassOf(type: string): string {
  return `${type.replace(/Command$/, '')}Answer`;
}
