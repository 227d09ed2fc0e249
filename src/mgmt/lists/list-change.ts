import { LIST_ARGUMENTS, LIST_PARAMETERS, type ListArgument } from '../../api/words.js';
import { reasonOf } from '../../lib/errors.js';
import { invalidArgument, refusedOperation } from '../../lib/operation-error.js';
import { type Configuration, canonicalValue, type ParameterName } from '../config/parameters.js';
import { ValueError } from '../config/value-kinds.js';

/** A change of what host lists follow from: texts as `updateConfiguration` takes them. What is left out stays as it is. */
export type ListChange = { readonly [argument in ListArgument]?: string | undefined };

/** The values of a change by name, in the spelling in which they are kept. @throws OperationError ARGUMENT_INVALID */
export function valuesOfChange(change: ListChange): ReadonlyMap<ParameterName, string> {
  const values = new Map<ParameterName, string>();
  for (const argument of LIST_ARGUMENTS) {
    const text = change[argument];
    if (text === undefined) continue;
    const name = LIST_PARAMETERS[argument];
    try {
      values.set(name, canonicalValue(name, text));
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      throw invalidArgument(argument, text, reasonOf(error));
    }
  }
  return values;
}

/** The arguments that make such a change. */
export function changeOfValues(values: ReadonlyMap<string, string>): ListChange {
  const given = Object.entries(LIST_PARAMETERS).map(([argument, name]) => [argument, values.get(name)]);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** Whether host lists follow from it. */
export function isListParameter(name: ParameterName): boolean {
  return Object.values<ParameterName>(LIST_PARAMETERS).includes(name);
}

/** What a canary was judged by may not change while it stands. @throws OperationError OPERATION_REFUSED */
export function refuseBesideCanary({ canary }: Pick<Configuration, 'canary'>): void {
  if (canary === undefined) return;
  throw refusedOperation(
    `canary ${canary.id} stands: commitCanary makes it hold for all agents, and deleteCanary takes it back`,
  );
}
