import { policies } from '#contexts/namespace';
import { auditPaths } from './audit.paths.js';
import { cachePaths } from './cache.paths.js';
import { fileIndexPaths } from './file-index.paths.js';
import { mountPaths } from './mount.paths.js';
import { nodesPaths } from './nodes.paths.js';
import { type Document, type Paths, type Schema } from './openapi.js';
import { policyPaths } from './policy.paths.js';
import { schemas } from './schemas.js';
import { servicePaths } from './service.paths.js';

const description = `
Larder keeps data close to compute: it mounts object stores and file systems, and loads, frees and rebalances their data
in a cache spread over many workers.

Every error is \`{ "status": "<one sentence>" }\`. A route that does not exist answers 404, a method that a route does not
have 405 with the header \`Allow\`, a URL that is too long 414 or 431. HEAD works wherever GET does.

A field or a query parameter that is not known is refused with 400 when it looks like a known one misspelt, and named in
the answer's \`ignored\` otherwise; also in \`X-Larder-Ignored\`, for answers that are not one JSON object.

A GET shows every write that any coordinator acknowledged before the GET arrived. Every answer carries
\`X-Larder-Sequence\`; sent back with a request, to any coordinator, that request sees everything that the answer saw, or
fails. While the log does not answer, GETs go on answering from memory and say with \`X-Larder-Stale\` how many milliseconds
old that may be.

Every GET that answers from the log takes \`asOf\`, a log sequence or a time, and answers as of then; with
\`X-Larder-As-Of\` it says which sequence that was.

Requests may name who makes them in \`X-Larder-Actor\`, and themselves in \`X-Request-Id\`: both are recorded.
`.trim();

/** The part of the API document about one kind of jobs. */
export interface ApiPart {
  tag: { name: string; description: string };
  paths: Paths;
  /** Schemas of its answers, by the names that `ref` uses. */
  schemas: Readonly<Record<string, Schema>>;
}

/** The REST API of a coordinator. @param parts one for each kind of jobs that it runs, in the order of the page */
export function apiDocument(parts: readonly ApiPart[]): Document {
  return {
    openapi: '3.1.0',
    info: { title: 'Larder', version: 'v1', description },
    servers: [{ url: '/' }],
    tags: [
      ...parts.map(({ tag }) => tag),
      { name: 'cache', description: 'Remove copies that workers should not hold.' },
      { name: 'mount', description: 'The mount table: which UFS appears where in the namespace.' },
      ...policies.map(({ http }) => ({ name: http.route, description: http.description })),
      { name: 'nodes', description: 'The workers of the cluster.' },
      { name: 'file_index', description: 'The files that the cache holds.' },
      { name: 'audit', description: 'The log: who did what, when, and what came of it.' },
      { name: 'service', description: 'The service itself.' },
    ],
    paths: {
      ...merged(parts.map(({ paths }) => paths)),
      ...cachePaths,
      ...mountPaths,
      ...policyPaths,
      ...nodesPaths,
      ...fileIndexPaths,
      ...auditPaths,
      ...servicePaths,
    },
    components: { schemas: { ...schemas, ...merged(parts.map((part) => part.schemas)) } },
  };
}

function merged<T>(records: readonly Readonly<Record<string, T>>[]): Record<string, T> {
  return Object.assign({}, ...records) as Record<string, T>;
}
