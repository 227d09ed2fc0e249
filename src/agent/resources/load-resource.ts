import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError, reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { builtInResource } from './built-in.js';
import { defineResource, type ResourceDefinition } from './define-resource.js';
import type { Resource } from './resource.js';

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
  const exported = module.default ?? module;
  try {
    if (isDefinition(exported)) return defineResource(exported);
  } catch (cause) {
    throw new ConfigError('resource', setting, reasonOf(cause), { cause });
  }
  if (isResource(exported)) return exported;
  throw new ConfigError(
    'resource',
    setting,
    'must export what defineResource takes, { name, commands }, or { name, startup(), answer(command, { signal }) }',
  );
}

/** A module need not import `defineResource`, which it may not find where it lies. */
function isDefinition(value: unknown): value is ResourceDefinition {
  const { commands, answer } = value as { readonly commands?: unknown; readonly answer?: unknown };
  return commands !== undefined && answer === undefined;
}

function isResource(value: unknown): value is Resource {
  const { name, startup, answer } = value as Partial<Resource>;
  return (
    typeof name === 'string' && /^\w+$/.test(name) && typeof startup === 'function' && typeof answer === 'function'
  );
}
