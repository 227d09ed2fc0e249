import { arch, cpus, hostname, release, totalmem, type } from 'node:os';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError, reasonOf } from '../lib/errors.js';
import { firstIPv4 } from '../lib/interfaces.js';
import type { Log } from '../lib/logger.js';
import type { Message } from '../protocol/index.js';

/** The fields of StartupRoutingCommand that describe the machine, such as `cpus`, `memory` (bytes) and `name`. */
export type MachineDescription = Readonly<Record<string, unknown>>;

/**
 * What an agent manages: it describes the machine, and answers the commands that are not about the agent's links. The
 * setting `resource` names a module whose default export is one.
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
  /** Called for each link. What it throws, and 30 s without a result, fail the dial. */
  startup(): MachineDescription | Promise<MachineDescription>;
  /**
   * Answers one command. What it throws is answered result=false.
   * @param context its signal aborts when the link ends, with which the answer is no longer wanted
   * @returns the answer; undefined when the resource does not know the class of the command
   */
  answer(
    command: Message,
    context: { readonly signal: AbortSignal },
  ): Message | undefined | Promise<Message | undefined>;
}

/** The name of CloudStack's KVM resource: host ids stay the same when this agent replaces CloudStack's. */
const DEFAULT_NAME = 'LibvirtComputingResource';
const JAVA_CLASS = /^[a-z_][\w$]*(\.[\w$]+)+$/i;

/**
 * Loads the resource that a setting names.
 * @param setting a module's path, relative to the working folder; a Java class name, which means the built-in resource
 *   under the class's simple name; or undefined for the built-in resource
 * @example
 * const resource = await loadResource('./greeter.mjs', silentLog);
 * @throws ConfigError when the module cannot be loaded, or exports no resource
 */
export async function loadResource(setting: string | undefined, log: Log): Promise<Resource> {
  if (setting === undefined || setting === '') return builtInResource(DEFAULT_NAME);
  if (JAVA_CLASS.test(setting) && !/\.[cm]?js$/.test(setting)) {
    const name = setting.slice(setting.lastIndexOf('.') + 1);
    log.warn('The resource setting names a Java class: the built-in resource answers in its place', {
      resource: setting,
    });
    return builtInResource(name);
  }
  let module: { readonly default?: unknown };
  try {
    module = await import(pathToFileURL(resolve(setting)).href);
  } catch (cause) {
    throw new ConfigError('resource', setting, `cannot be loaded: ${reasonOf(cause)}`, { cause });
  }
  const resource = module.default ?? module;
  if (isResource(resource)) return resource;
  throw new ConfigError('resource', setting, 'must export { name, startup(), answer(command, { signal }) }');
}

function isResource(value: unknown): value is Resource {
  const { name, startup, answer } = value as Partial<Resource>;
  return (
    typeof name === 'string' && /^\w+$/.test(name) && typeof startup === 'function' && typeof answer === 'function'
  );
}

/**
 * A resource that describes this machine and knows no command.
 * @example
 * const machine = builtInResource('LibvirtComputingResource');
 * const resource = { ...machine, startup: () => ({ ...machine.startup(), name: 'host-1' }) };
 */
export function builtInResource(name: string): Resource {
  return { name, startup: describeMachine, answer: () => undefined };
}

/** Java's names of processor architectures, which CloudStack uses, by Node's names. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64', s390x: 's390x' };

function describeMachine(): MachineDescription {
  const processors = cpus();
  const found = firstIPv4();
  const ip = found?.address ?? '127.0.0.1';
  const netmask = found?.netmask ?? '255.0.0.0';
  const mac = found?.mac ?? '00:00:00:00:00:00';
  const architecture = ARCHITECTURES[arch()] ?? arch();
  return {
    cpuSockets: 1,
    cpus: processors.length,
    speed: processors[0]?.speed ?? 0,
    cpuArch: architecture,
    memory: totalmem(),
    caps: 'hvm',
    pool: '/root',
    hypervisorType: 'KVM',
    hostDetails: { 'Host.OS': type(), 'Host.OS.Kernel.Version': release(), secured: 'false' },
    hostTags: [],
    groupDetails: {},
    gpuDevices: [],
    type: 'Routing',
    name: hostname(),
    privateIpAddress: ip,
    privateMacAddress: mac,
    privateNetmask: netmask,
    storageIpAddress: ip,
    storageNetmask: netmask,
    storageMacAddress: mac,
    gatewayIpAddress: ip,
    arch: architecture,
  };
}
