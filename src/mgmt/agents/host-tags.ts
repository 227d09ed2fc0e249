import { invalidArgument } from '../../lib/operation-error.js';
import { peerText } from '../../lib/text/peer-text.js';
import { MGMT_LIMITS } from '../config/limits.js';

/**
 * The tags that an agent gives its host, at most `tagsOfHost`. Each is cleaned. One that is too long is left out: cut, it
 * would be another tag.
 */
export function agentTags(given: readonly unknown[]): readonly string[] {
  const tags = new Set<string>();
  for (const one of given) {
    if (typeof one !== 'string') continue;
    for (const text of one.split(',')) {
      if (text.length > MGMT_LIMITS.tagLength) continue;
      const tag = peerText(text).trim();
      if (tag !== '') tags.add(tag);
      if (tags.size === MGMT_LIMITS.tagsOfHost) return [...tags];
    }
  }
  return [...tags];
}

/** The tags that an operator gives a host, from a text with commas between them. @throws OperationError ARGUMENT_INVALID */
export function operatorTags(text: string): readonly string[] {
  const { tagsOfHost, tagLength } = MGMT_LIMITS;
  const names = text.split(',').map(name => name.trim());
  const tags = [...new Set(names.filter(name => name !== ''))];
  const invalid = (why: string) => invalidArgument('tags', text, why);
  if (tags.length > tagsOfHost) throw invalid(`${tags.length} tags; a host can be given ${tagsOfHost}`);
  for (const tag of tags) {
    if (tag.length > tagLength) throw invalid(`a tag has at most ${tagLength} characters`);
    if (tag !== peerText(tag)) throw invalid('control characters are not allowed in a tag');
  }
  return tags;
}
