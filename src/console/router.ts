import { computed, signal } from '@preact/signals';

/** Where the page is: `#/agents?state:astray` has the name `agents` and the rest `state:astray`. */
const hash = signal(location.hash);
addEventListener('hashchange', () => {
  hash.value = location.hash;
});

export const route = computed(() => {
  const [, name = '', path = '', search = ''] = /^#\/([a-z]*)(?:\/([^?]*))?(?:\?(.*))?$/.exec(hash.value) ?? [];
  return { name: name || 'now', path: decodeURIComponent(path), search: decodeURIComponent(search) };
});

export function hrefOf(
  name: string,
  { path, search }: { readonly path?: string; readonly search?: string } = {},
): string {
  const rest = path === undefined ? '' : `/${encodeURIComponent(path)}`;
  return `#/${name}${rest}${search ? `?${encodeURIComponent(search)}` : ''}`;
}

export function go(href: string): void {
  location.hash = href;
}

/** The same page with another rest, without a new entry in the history. */
export function replace(href: string): void {
  history.replaceState(null, '', href);
  hash.value = location.hash;
}
