import { type Type } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { getMetadataStorage } from 'class-validator';
import { knownNames } from '#contexts/api-docs';
import { document } from './api-document.js';
import { realRoutes } from './spec-support/routes.js';

const documentedRoutes = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
);
const real = realRoutes();

it('the document has every route of the coordinator, and no other', () => {
  expect(real.length).toBeGreaterThan(30);
  expect(documentedRoutes.sort()).toEqual(real.map(({ name }) => name).sort());
});

/** The document decides which fields are known. So a field must be in both: the document and the DTO. */
describe('the fields of a body', () => {
  const withBody = real.flatMap(({ name, body }) => (body ? [[name, body] as const] : []));
  const known = knownNames(document);

  it('are those of the DTO, wherever a route takes a body', () => {
    expect(withBody.length).toBeGreaterThan(15);
    const documented = [...known].filter(([, { body }]) => body !== undefined).map(([route]) => route);
    expect(documented.sort()).toEqual(withBody.map(([name]) => name).sort());
  });

  it.each(withBody)('%s', (name, dto) => {
    expect(known.get(name)?.body).toEqual(fieldsOf(dto));
  });
});

function fieldsOf(dto: Type): Record<string, unknown> {
  const rules = getMetadataStorage().getTargetValidationMetadatas(dto, '', true, false);
  const names = [...new Set(rules.map(({ propertyName }) => propertyName))];
  return Object.fromEntries(
    names.map((name) => {
      const value = (plainToInstance(dto, { [name]: {} }) as Record<string, object>)[name];
      const nested = value.constructor as Type;
      return [name, nested === Object ? undefined : fieldsOf(nested)];
    }),
  );
}
