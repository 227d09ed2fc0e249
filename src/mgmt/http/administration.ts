import type { OperationParts } from '../jobs/operations.js';
import type { HandlerParts } from './handlers/handler.js';

/** What a server gives the HTTP side: what handlers read, and the parts of the operations. */
export type Administration = Omit<HandlerParts, 'operations'> & OperationParts;
