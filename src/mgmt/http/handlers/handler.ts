import type { CommandName, Params } from '../../../api/commands.js';
import type { Result } from '../../../api/envelope.js';

/** Carries out one command. Its parameters are checked. @throws ApiError, StoreError */
export type Handler<N extends CommandName> = (params: Params<N>) => Promise<Result>;

export type Handlers = { readonly [N in CommandName]: Handler<N> };
