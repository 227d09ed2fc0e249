import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** What a child process can be asked to do, by name. */
export type ChildOperations = Readonly<Record<string, (argument: never) => unknown>>;

type NameOf<O> = keyof O & string;
type ArgumentsOf<O, N extends keyof O> = O[N] extends (...args: infer A) => unknown ? A : never;
type ResultOf<O, N extends keyof O> = O[N] extends (...args: never[]) => infer R ? Awaited<R> : never;

interface ChildRequest {
  readonly operation: string;
  readonly argument: unknown;
}

type ChildAnswer = { readonly result: unknown } | { readonly error: string };

/** A process that calls `serveParent`. */
export class Child<O extends ChildOperations> {
  readonly #child: ChildProcess;

  /** @param program the URL of its script, or what runs already, with a channel for messages */
  constructor(program: URL | ChildProcess) {
    this.#child = program instanceof URL ? fork(program, { execArgv: ['--expose-gc'] }) : program;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** One operation at a time. @throws Error as the operation did */
  async do<N extends NameOf<O>>(operation: N, ...[argument]: ArgumentsOf<O, N>): Promise<ResultOf<O, N>> {
    const request: ChildRequest = { operation, argument };
    this.#child.send(request);
    const answer = await this.#answer();
    if ('error' in answer) throw new Error(answer.error);
    // The answer to the only request under way is of its operation's type.
    return answer.result as ResultOf<O, N>;
  }

  stop(): void {
    this.#child.disconnect();
  }

  async #answer(): Promise<ChildAnswer> {
    const ended = new AbortController();
    const onExit = () => ended.abort(new Error('the process has ended'));
    this.#child.once('exit', onExit);
    try {
      const [answer] = (await once(this.#child, 'message', { signal: ended.signal })) as [ChildAnswer];
      return answer;
    } finally {
      this.#child.off('exit', onExit);
    }
  }
}

/** Carries out what the parent asks, until it disconnects. */
export function serveParent(operations: ChildOperations): void {
  process.on('message', async ({ operation, argument }: ChildRequest) => {
    let answer: ChildAnswer;
    try {
      // `Child.do` has checked that the argument is the operation's.
      answer = { result: await operations[operation]?.(argument as never) };
    } catch (error) {
      answer = { error: String(error) };
    }
    process.send?.(answer);
  });
  process.on('disconnect', () => process.exit());
}
