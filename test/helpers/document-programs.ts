/** The programs that a document consists of, and what they are said to print. */
export interface DocumentPrograms {
  /** Sources by file name. */
  readonly sources: ReadonlyMap<string, string>;
  readonly runs: readonly DocumentRun[];
}

/** A command of a document, and what follows it there. */
export interface DocumentRun {
  /** Behind `node`. */
  readonly args: readonly string[];
  readonly output: string;
}

/**
 * Reads the blocks of a document in Markdown: each `ts` is a file, whose first line may be a comment with its name, such as
 * `// server.ts`; each `console` has `$ node FILE` in its first line, and then what that prints.
 */
export function documentPrograms(text: string): DocumentPrograms {
  const sources = new Map<string, string>();
  const runs: DocumentRun[] = [];
  for (const [, kind, body = ''] of text.matchAll(/^```(ts|console)\n(.*?)^```$/gms)) {
    if (kind === 'ts') {
      const [, name = `example-${sources.size}.ts`] = /^\/\/ (\S+\.ts)\n/.exec(body) ?? [];
      sources.set(name, body);
    } else {
      const [, args, output = ''] = /^\$ node ([^\n]*)\n(.*)$/s.exec(body) ?? [];
      if (args === undefined) throw new Error(`a console block has no command: ${body}`);
      runs.push({ args: args.split(' '), output });
    }
  }
  return { sources, runs };
}

/** Whether a program has printed what the document says. There, `…` alone in a line stands for any lines, also none. */
export function isSaid(output: string, printed: string): boolean {
  const pattern = output
    .split(/^…\n/m)
    .map(part => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    .join('(?:.*\\n)*');
  return new RegExp(`^${pattern}$`).test(printed);
}
