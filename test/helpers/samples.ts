/** The samples of a text in Prometheus's format, by name and labels as it writes them: `agents{state="Up"}`. */
export function samplesIn(text: string): ReadonlyMap<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, series = '', value = ''] = /^([a-z_:][^ ]*?(?:\{.*\})?) (\S+)$/i.exec(line) ?? [];
    if (series !== '') samples.set(series, Number(value.replace('+Inf', 'Infinity')));
  }
  return samples;
}
