/** Compares two JSON-able states (null for none). One line for each value: `+` added, `-` removed, `~` changed. */
export function stateDiff(before: unknown, after: unknown): string[] {
  const [was, is] = [new Map(leaves(before)), new Map(leaves(after))];
  const lines: string[] = [];
  for (const [path, value] of is) {
    const old = was.get(path);
    if (old === undefined) lines.push(`+ ${path} = ${value}`);
    else if (old !== value) lines.push(`~ ${path}: ${old} → ${value}`);
  }
  for (const [path, value] of was) if (!is.has(path)) lines.push(`- ${path} (was ${value})`);
  return lines;
}

/** All values that contain no others, as JSON, each with its path, such as `mounts[0].path`. */
function* leaves(value: unknown, path = ''): Generator<[string, string]> {
  if (value === null && path === '') return;
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) {
    if (value !== undefined) yield [path || '(state)', JSON.stringify(value)];
    return;
  }
  for (const [name, field] of Object.entries(value)) {
    const step = Array.isArray(value) ? `[${name}]` : /^[\w-]+$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
    yield* leaves(field, (path + step).replace(/^\./, ''));
  }
}
