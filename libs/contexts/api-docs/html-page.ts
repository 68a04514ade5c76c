import { methods, type ApiResponse, type Document, type Media, type Operation, type Schema } from './openapi.js';
import { pageStyle } from './page-style.js';

/** The document as one HTML page without scripts or external files. */
export function htmlPage(document: Document): string {
  const sections = document.tags.map(({ name, description }) => {
    const operations = operationsOf(document, name).map((entry) => operationSection(document, entry));
    return `<h2 id="${escape(name)}">${escape(name)}</h2>\n<p>${prose(description)}</p>\n${operations.join('\n')}`;
  });
  const { title, version, description } = document.info;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} REST API</title>
<style>${pageStyle}</style>
</head>
<body>
<div class="layout">
<nav aria-label="Routes">${navigation(document)}</nav>
<main>
<h1>${escape(title)} REST API ${escape(version)}</h1>
${description
  .split('\n\n')
  .map((paragraph) => `<p>${prose(paragraph)}</p>`)
  .join('\n')}
<p>For programs: <a href="openapi.json">openapi.json</a> (OpenAPI ${escape(document.openapi)}).</p>
${sections.join('\n')}
</main>
</div>
</body>
</html>
`;
}

interface Entry {
  path: string;
  method: string;
  operation: Operation;
}

function operationsOf(document: Document, tag: string): Entry[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    methods.flatMap((method) => {
      const operation = item[method];
      return operation?.tags[0] === tag ? [{ path, method, operation }] : [];
    }),
  );
}

function navigation(document: Document): string {
  return document.tags
    .map(({ name }) => {
      const links = operationsOf(document, name).map(
        ({ operation }) => `<li><a href="#${operation.operationId}">${escape(operation.summary)}</a></li>`,
      );
      return `<strong><a href="#${escape(name)}">${escape(name)}</a></strong>\n<ul>${links.join('')}</ul>`;
    })
    .join('\n');
}

function operationSection(document: Document, { path, method, operation }: Entry): string {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  const parameterRows = parameters.map((parameter) => row(parameter.name, parameter.schema, parameter, 0));
  return [
    `<section id="${operationId}">`,
    `<h3>${escape(summary)}</h3>`,
    `<div class="route"><span class="method ${method}">${method}</span><code>${escape(path)}</code></div>`,
    description === undefined ? '' : `<p>${prose(description)}</p>`,
    parameterRows.length > 0 ? `<h4>Parameters</h4>\n<table>${parameterRows.join('\n')}</table>` : '',
    requestBody ? `<h4>Request body</h4>\n${mediaSection(document, requestBody.content)}` : '',
    '<h4>Answers</h4>',
    ...Object.entries(responses).map(([status, response]) => responseSection(document, status, response)),
    '</section>',
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function responseSection(document: Document, status: string, response: ApiResponse): string {
  const isOpen = status === '200' ? ' open' : '';
  return `<details${isOpen}><summary><span class="status">${status}</span> ${prose(response.description)}</summary>
${mediaSection(document, response.content ?? {})}</details>`;
}

function mediaSection(document: Document, content: Readonly<Record<string, Media>>): string {
  return Object.entries(content)
    .map(([type, { schema, examples = {} }]) => {
      const rows = fieldRows(document, schema, 0);
      const shown = Object.values(examples).map(
        ({ value }) => `<pre>${escape(JSON.stringify(value, undefined, 2))}</pre>`,
      );
      const named = type === 'application/json' ? '' : `<p><code>${escape(type)}</code></p>`;
      return `${named}${shown.join('\n')}${rows.length > 0 ? `<table>${rows.join('\n')}</table>` : ''}`;
    })
    .join('\n');
}

/** One row for each field. The fields of an object or of a list's entries are indented below it. */
function fieldRows(document: Document, schema: Schema, depth: number): string[] {
  const resolved = resolve(document, schema);
  // A status or an id needs no explanation.
  if (schema.$ref === '#/components/schemas/Status' || schema.$ref === '#/components/schemas/Ok') return [];
  if (resolved.anyOf) return fieldRows(document, resolved.anyOf[0], depth);
  if (resolved.type === 'array') return fieldRows(document, resolved.items ?? {}, depth);
  return Object.entries(resolved.properties ?? {}).flatMap(([name, field]) => [
    row(name, field, { description: field.description, required: resolved.required?.includes(name) }, depth),
    ...fieldRows(document, field, depth + 1),
  ]);
}

function row(
  name: string,
  schema: Schema,
  { description = '', required = false }: { description?: string; required?: boolean },
  depth: number,
): string {
  const indent = depth > 0 ? ` style="padding-left:${depth}rem"` : '';
  const mark = required ? ' <span class="required">required</span>' : '';
  const cells = [`<td class="type">${typeName(schema)}</td>`, `<td>${prose(description)}</td>`];
  return `<tr><td${indent}><code>${escape(name)}</code>${mark}</td>${cells.join('')}</tr>`;
}

function typeName(schema: Schema): string {
  if (schema.enum) return schema.enum.map((value) => `<code>"${escape(value)}"</code>`).join(', ');
  if (schema.const !== undefined) return `<code>"${escape(schema.const)}"</code>`;
  if (schema.type === 'array') return `list of ${typeName(schema.items ?? {})}`;
  return escape(schema.type ?? 'object');
}

function resolve(document: Document, schema: Schema): Schema {
  const name = schema.$ref?.slice('#/components/schemas/'.length);
  return name === undefined ? schema : document.components.schemas[name];
}

/** Text with `code` in backticks. */
function prose(text: string): string {
  return escape(text).replace(/`([^`]+)`/g, '<code>$1</code>');
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
