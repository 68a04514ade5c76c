import { z } from 'zod';
import { eventCatalogues } from './catalogues.js';

interface JsonSchema {
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  anyOf?: JsonSchema[];
  items?: JsonSchema;
  prefixItems?: JsonSchema[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
}

/** `docs/events.md`: all event types of the log with the shape of their data, from the schemas that the codec uses. */
export function eventsPage(): string {
  const sections = Object.entries(eventCatalogues).map(([context, catalogue]) => {
    const events = Object.entries(catalogue).map(([type, { v, description, schema }]) => {
      const shape = z.toJSONSchema(schema as z.ZodType, { io: 'output' }) as JsonSchema;
      const fields = Object.entries(shape.properties ?? {}).map(([name, field]) => {
        const optional = shape.required?.includes(name) ? '' : '?';
        return `| \`${name}${optional}\` | ${typeName(field)} |`;
      });
      const table = fields.length > 0 ? ['', '| field | type |', '|---|---|', ...fields].join('\n') : '\nNo data.';
      return `### ${type} (version ${v})\n\n${description}\n${table}\n`;
    });
    return `## ${context}\n\n${events.join('\n')}`;
  });
  return [
    '# Events',
    '',
    'Generated from the code by `npm run docs`. Every message of the log holds the events that one command decided, all',
    'or nothing: `{ "id", "prev", "events": [ { "id", "type", "v", "at", "actor", "requestId", "source"?, "data" } ] }`. `prev` is the',
    'digest of the message before it on its boundary: see [tamper-evidence.md](tamper-evidence.md). The tables show `data`.',
    '',
    sections.join('\n'),
  ].join('\n');
}

function typeName(schema: JsonSchema): string {
  if (schema.anyOf) return schema.anyOf.map(typeName).join(' or ');
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  if (schema.prefixItems) return `[${schema.prefixItems.map(typeName).join(', ')}]`;
  if (schema.type === 'array') return `list of ${typeName(schema.items ?? {})}`;
  if (schema.properties && Object.keys(schema.properties).length > 0) {
    const fields = Object.entries(schema.properties).map(
      ([name, field]) => `${name}${schema.required?.includes(name) ? '' : '?'}: ${typeName(field)}`,
    );
    return `{ ${fields.join(', ')} }`;
  }
  if (schema.type === 'object') {
    const values = schema.additionalProperties;
    return typeof values === 'object' && Object.keys(values).length > 0 ? `map to ${typeName(values)}` : 'object';
  }
  return Array.isArray(schema.type) ? schema.type.join(' or ') : (schema.type ?? 'any');
}
