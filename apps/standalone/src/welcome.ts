/** What `npm start` prints when the cluster is up: the address, and three commands that work as they stand. */
export function welcome(options: {
  /** Base URLs of the coordinators. */
  coordinators: readonly string[];
  /** Their addresses. */
  workers: readonly string[];
  dataDir: string;
  /** A directory with some files, to try things on. */
  sampleDir: string;
}): string {
  const { coordinators, workers, dataDir, sampleDir } = options;
  const [url] = coordinators;
  const post = (path: string, body: unknown) =>
    `curl -X POST ${url}/api/v1/${path} -H 'Content-Type: application/json' -d ${shellQuoted(JSON.stringify(body))}`;
  return [
    `Larder is up: ${coordinators.map((one) => `${one}/api/v1`).join(', ')}`,
    `Workers: ${workers.join(', ') || 'none'}. Data: ${dataDir}`,
    '',
    'Mount a directory, load it into the cache, watch the job:',
    `  ${post('mount', { path: '/sample', ufs: `file://${sampleDir}` })}`,
    `  ${post('load', { paths: ['/sample'] })}`,
    `  curl ${url}/api/v1/load`,
    '',
    'Ctrl-C stops everything; the next start goes on where this one ended.',
  ].join('\n');
}

/** In single quotes, as a POSIX shell takes it for one word. */
function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
