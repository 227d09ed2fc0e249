import type { Message } from '../../protocol/index.js';

/** The fields of StartupRoutingCommand that describe the machine, such as `cpus`, `memory` (bytes) and `name`. */
export type MachineDescription = Readonly<Record<string, unknown>>;

/**
 * What a resource says of itself at each new link: the fields of StartupRoutingCommand, or several startup commands, as
 * some of CloudStack's resources send. The agent adds who it is and where it belongs to each of them.
 */
export type StartupDescription = MachineDescription | readonly Message[];

/** What a resource adds to a ping: fields of PingRoutingCommand such as `_hostVmStateReport`, or others. */
export type PingReport = Readonly<Record<string, unknown>>;

/** What a resource is given with a command. */
export interface CommandContext {
  /**
   * Aborts when nobody waits for the answer any more: its time is over (`command.timeout`), or the agent stops. For a
   * command without an id also when its link ends; one with an id goes on, and its answer finds another link. Aborts as
   * well when the command was cancelled: its answer is waited for all the same.
   */
  readonly signal: AbortSignal;
  /** The id under which the command is carried out at most once; undefined when its server has given none. */
  readonly id: string | undefined;
  /**
   * Says how far the command is. A server of Muster's that waits for it is told with the next ping, and soon. Without an
   * id it is logged alone.
   * @param text at most 255 characters are used
   */
  progress(text: string): void;
}

/** What a resource is given once, when its agent starts. */
export interface ResourceHandle {
  /** Aborts when the agent stops. */
  readonly signal: AbortSignal;
  /**
   * Has a ping sent now, out of turn, with what `ping()` says then: something has changed. While there is no Ready link it
   * is sent when there is one. At most one a second is sent.
   */
  push(): void;
}

/**
 * What an agent manages: it describes the machine, and answers the commands that are not about the agent's links. The
 * setting `resource` names a module whose default export is one. `defineResource` makes one of functions by class name.
 * @example
 * const greeter: Resource = {
 *   name: 'Greeter',
 *   startup: () => ({ type: 'Routing', name: 'host-1', cpus: 4, memory: 2 ** 33 }),
 *   answer: command => (GreetCommand.is(command) ? GreetAnswer.encode({ result: true }) : undefined),
 * };
 */
export interface Resource {
  /**
   * Letters, digits and underscores. It ends the guid in Startup, and begins the keys `<name>.id`, `.uuid`, `.name`.
   */
  readonly name: string;
  /** Tags of the host, beside those of the setting `host.tags`. */
  readonly tags?: readonly string[];
  /** Called for each link. What it throws, and 30 s without a result, fail the dial. */
  startup(): StartupDescription | Promise<StartupDescription>;
  /**
   * Answers one command. What it throws is answered result=false, and so is what is no answer, is too large, or does not
   * come in time.
   * @returns the answer; undefined when the resource does not know the class of the command
   */
  answer(command: Message, context: CommandContext): Message | undefined | Promise<Message | undefined>;
  /** Called for each ping. A ping does not wait for it for longer than 1 s, and goes without it then. */
  ping?(): PingReport | Promise<PingReport>;
  /** Called once, before the agent dials, which does not wait for it. What it throws, or rejects with, is logged. */
  start?(handle: ResourceHandle): void | Promise<void>;
}
