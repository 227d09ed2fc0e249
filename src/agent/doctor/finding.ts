/** One thing that was looked at. */
export interface Finding {
  readonly level: 'ok' | 'warn' | 'error';
  /** The file, the setting or the host. */
  readonly what: string;
  readonly found: string;
  /** What to do about it. */
  readonly remedy?: string;
}
