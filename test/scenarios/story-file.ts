import { writeFileSync } from 'node:fs';
import { tellStory } from '../simulation/story.js';

export interface CheckStoryOptions {
  /** Writes what the story is now into the file, unless it fails. @default false */
  readonly isUpdate?: boolean;
}

/**
 * Tells the story of a file.
 * @returns what is in the file, and what it is now; after an update both are the same
 * @throws Error: a command of the file cannot be carried out, or something did not hold in its course; the file stays as it was
 */
export async function checkStory(file: string, { isUpdate = false }: CheckStoryOptions = {}) {
  const { expected, actual } = await tellStory(file);
  if (!isUpdate) return { expected, actual };
  if (actual !== expected) writeFileSync(file, actual);
  return { expected: actual, actual };
}
