/** What a failure says without names, numbers and texts: of two failures of one kind, the same thing does not hold. Pure. */
export function failureKind(failure: string): string {
  const [line = ''] = failure.split('\n');
  return line
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, '…')
    .replaceAll(/\b[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b/g, '…')
    .replaceAll(/\b\d+(?:\.\d+)*\b/g, '…')
    .replaceAll(/…(?:,…)+/g, '…');
}
