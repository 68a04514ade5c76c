import 'reflect-metadata';
import { RequestMethod, type DynamicModule, type Type } from '@nestjs/common';
import { document } from '#contexts/api-docs';
import { AppModule } from './app.module.js';

/** These stand outside the prefix. */
const unprefixed = ['/healthz', '/readyz'];

/** `GET /api/v1/load/{id}` for every handler of every controller that the coordinator's modules import. */
function realRoutes(): string[] {
  return controllersOf(AppModule).flatMap((controller) => {
    const base = Reflect.getMetadata('path', controller) as string;
    const members = Object.values(Object.getOwnPropertyDescriptors(controller.prototype as object));
    return members.flatMap(({ value: handler }: { value?: object }) => {
      const method = handler && (Reflect.getMetadata('method', handler) as RequestMethod | undefined);
      if (method === undefined) return [];
      const path = joined(base, Reflect.getMetadata('path', handler!) as string);
      return [`${RequestMethod[method]} ${unprefixed.includes(path) ? '' : '/api/v1'}${path}`];
    });
  });
}

function controllersOf(module: Type | DynamicModule, seen = new Set<unknown>()): Type[] {
  if (seen.has(module)) return [];
  seen.add(module);
  const type = 'module' in module ? module.module : module;
  const own = (Reflect.getMetadata('controllers', type) ?? []) as Type[];
  const imports = (Reflect.getMetadata('imports', type) ?? []) as (Type | DynamicModule)[];
  return [...own, ...imports.flatMap((one) => controllersOf(one, seen))];
}

function joined(...parts: string[]): string {
  const segments = parts.flatMap((part) => part.split('/')).filter((segment) => segment !== '');
  return `/${segments.map((segment) => segment.replace(/^:(.+)$/, '{$1}')).join('/')}`;
}

const documentedRoutes = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
);

it('documents every route the coordinator has, and no other', () => {
  const real = realRoutes();
  expect(real.length).toBeGreaterThan(30);
  expect(documentedRoutes.sort()).toEqual(real.sort());
});
