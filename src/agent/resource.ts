import { arch, cpus, hostname, release, totalmem, type } from 'node:os';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError, reasonOf } from '../lib/errors.js';
import { firstIPv4 } from '../lib/interfaces.js';
import type { Log } from '../lib/logger.js';
import type { Message } from '../protocol/index.js';

/** Fields of StartupRoutingCommand that the resource knows about: the machine. */
export type MachineDescription = Readonly<Record<string, unknown>>;

/** What an agent manages: it describes the machine and answers the commands that are not about the connection. */
export interface Resource {
  /** The simple name: suffix of the guid, and of the keys `<name>.id`, `.uuid`, `.name`. */
  readonly name: string;
  startup(): MachineDescription | Promise<MachineDescription>;
  /** The answer's message; undefined when it does not know the command. What it throws is answered result=false. */
  answer(
    command: Message,
    context: { readonly signal: AbortSignal },
  ): Message | undefined | Promise<Message | undefined>;
}

/** So that host ids survive a change from CloudStack's agent to this one. */
const DEFAULT_NAME = 'LibvirtComputingResource';
const JAVA_CLASS = /^[a-z_][\w$]*(\.[\w$]+)+$/i;

/**
 * @param setting the `resource` setting: a module's path, a Java class name, or undefined for the built-in one
 * @throws ConfigError when the module cannot be loaded, or is no resource
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

/** Reports this machine, and knows no command. */
export function builtInResource(name: string): Resource {
  return { name, startup: describeMachine, answer: () => undefined };
}

/** Node's names for what CloudStack calls by Java's. */
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
