import { json, methods, type Document, type Operation, type Schema } from './openapi.js';

/** Fields by name. A field that is an object holds the fields of that object. */
interface FieldNames {
  readonly [field: string]: FieldNames | undefined;
}

/**
 * What each route accepts, by its documentation: `GET /api/v1/load` → its query parameters, and the fields of its body.
 * For an object that accepts any names (`additionalProperties`), such as the options of a mount, no fields are listed.
 */
export function knownNames(document: Document): Map<string, { query: string[]; body?: FieldNames }> {
  const routes = new Map<string, { query: string[]; body?: FieldNames }>();
  for (const [path, item] of Object.entries(document.paths)) {
    if (!path.startsWith('/api/')) continue;
    for (const method of methods) {
      const operation = item[method];
      if (!operation) continue;
      const url = path.replace(/\{([^}]+)\}/g, ':$1');
      routes.set(`${method.toUpperCase()} ${url}`, { query: queryOf(operation), body: bodyOf(operation) });
    }
  }
  return routes;
}

function queryOf({ parameters = [] }: Operation): string[] {
  return parameters.flatMap(({ in: place, name }) => (place === 'query' ? [name] : []));
}

function bodyOf({ requestBody }: Operation): FieldNames | undefined {
  return requestBody && fieldsOf(requestBody.content[json].schema);
}

function fieldsOf({ properties }: Schema): FieldNames | undefined {
  if (!properties) return undefined;
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, fieldsOf(schema)]));
}
