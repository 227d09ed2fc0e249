/** As many tags a host may have. */
export const MOST_TAGS = 100;
/** In words, for an error. */
export const TAG_FORM = 'up to 64 letters, digits and _ . : / = @ + -';

const TAG = /^[\w.:/=@+-]{1,64}$/;

/** Whether a text may be a tag of a host. */
export function isTag(text: unknown): text is string {
  return typeof text === 'string' && TAG.test(text);
}
