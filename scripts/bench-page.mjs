// The places of tables in docs/performance.md: `<!-- bench:NAME -->` … `<!-- /bench -->`.

const begin = (name) => `<!-- bench:${name} -->`;
const end = '<!-- /bench -->';

/**
 * Puts a table into its place and leaves everything else as it is.
 * @param title heading of a section at the end of the page, for a benchmark that has no place there yet
 */
export function placeTable(text, name, table, title = name) {
  const from = text.indexOf(begin(name));
  if (from < 0) return `${text.trimEnd()}\n\n## ${upperFirst(title)}\n\n${begin(name)}\n\n${table}\n\n${end}\n`;
  const to = text.indexOf(end, from);
  if (to < 0) throw new Error(`docs/performance.md: ${begin(name)} has no ${end}`);
  return `${text.slice(0, from)}${begin(name)}\n\n${table}\n\n${text.slice(to)}`;
}

/** Names of the benchmarks that have a place in the page. */
export const placesIn = (text) => [...text.matchAll(/<!-- bench:([\w-]+) -->/g)].map(([, name]) => name);

const upperFirst = (text) => text[0].toUpperCase() + text.slice(1);
