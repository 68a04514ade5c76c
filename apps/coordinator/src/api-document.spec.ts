import { htmlPage, methods, type Operation, type Schema } from '#contexts/api-docs';
import { document } from './api-document.js';

const operations: Operation[] = Object.values(document.paths).flatMap((item) =>
  methods.flatMap((method) => item[method] ?? []),
);

function refsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = (value as Schema).$ref;
  return [...(typeof own === 'string' ? [own] : []), ...Object.values(value).flatMap(refsIn)];
}

it('the document refers to schemas that exist, and to all of them', () => {
  const wanted = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
  expect([...new Set(refsIn(document.paths))].sort()).toEqual(wanted.sort());
});

it('the document names every operation once, under a tag that it explains', () => {
  const ids = operations.map(({ operationId }) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  const tags = document.tags.map(({ name }) => name);
  for (const { tags: own } of operations) expect(tags).toContain(own[0]);
});

it('every operation has a success and the unexpected error, and the errors of a body where it takes one', () => {
  for (const { requestBody, responses } of operations) {
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(['200', '400', '500', '503']));
    expect('413' in responses && '415' in responses).toBe(requestBody !== undefined);
  }
});

/** All objects that a schema of an answer allows, with references resolved. */
function objectsOf(schema: Schema): Schema[] {
  if (schema.$ref) return objectsOf(document.components.schemas[schema.$ref.split('/').at(-1)!]);
  return schema.anyOf ? schema.anyOf.flatMap(objectsOf) : [schema];
}

it('every success that is an object has a field for ignored names', () => {
  // These answers are sent as text or as a stream. For them, a header names what was ignored.
  const sentOtherwise = ['readOpenApi', 'readFileIndex', 'readHealth', 'readReadiness'];
  const schemas = operations
    .filter(({ operationId }) => !sentOtherwise.includes(operationId))
    .flatMap(({ responses }) => responses['200'].content?.['application/json']?.schema ?? [])
    .flatMap(objectsOf);
  expect(schemas.length).toBeGreaterThan(25);
  for (const { properties } of schemas) expect(properties).toHaveProperty('ignored');
});

describe('the page', () => {
  const page = htmlPage(document);

  it('holds every operation with its answers', () => {
    for (const { operationId, summary } of operations) {
      expect(page).toContain(`<section id="${operationId}">`);
      expect(page).toContain(summary);
    }
  });

  it('needs no script and loads nothing from other hosts', () => {
    expect(page).not.toMatch(/<script|<link|<img|<iframe|@import|url\(|\bon[a-z]+=/i);
  });

  it('escapes what it shows', () => {
    const title = '<b>&"';
    const hostile = htmlPage({ ...document, info: { ...document.info, title } });
    expect(hostile).toContain('&lt;b&gt;&amp;&quot;');
    expect(hostile).not.toContain('<b>');
  });
});
