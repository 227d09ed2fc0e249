/**
 * What goes to standard error from now on, until the test ends.
 * @param isTerminal whether it counts as a terminal
 */
export function captureStderr(t: { teardown(fn: () => void): void }, isTerminal = false): () => string {
  const { write, isTTY } = process.stderr;
  let text = '';
  process.stderr.write = (chunk: unknown) => {
    text += String(chunk);
    return true;
  };
  process.stderr.isTTY = isTerminal;
  t.teardown(() => {
    Object.assign(process.stderr, { write, isTTY });
  });
  return () => text;
}
