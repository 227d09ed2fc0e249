import { API, type CommandName } from '../../api/commands/index.js';
import type { ApiCommand } from '../../api/table.js';
import type { ApiKeyRole } from '../store/store.js';

/** Whether the command changes something, by the API's table: its requests are good once. */
export function changesSomething(command: CommandName): boolean {
  const { forReaders, showsOperators }: ApiCommand = API[command];
  return !forReaders && !showsOperators;
}

/** Whether a key of this role may call the command, by the API's table. */
export function mayCall({ role }: { readonly role: ApiKeyRole }, command: CommandName): boolean {
  const { forReaders }: ApiCommand = API[command];
  return role === 'operator' || forReaders === true;
}
