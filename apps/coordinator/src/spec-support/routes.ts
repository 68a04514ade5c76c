import 'reflect-metadata';
import { RequestMethod, type DynamicModule, type Type } from '@nestjs/common';
import { AppModule } from '../app.module.js';

export interface Route {
  /** `GET /api/v1/load/{id}`. */
  readonly name: string;
  /** The DTO of its body, if it has a body. */
  readonly body?: Type;
}

/** These routes do not have the prefix. */
const unprefixed = ['/healthz', '/readyz'];

/** The metadata in which Nest notes the arguments of a handler, and Nest's number for a body. */
const argumentsKey = '__routeArguments__';
const bodyArgument = /^3:/;

/** Every handler of every controller that the coordinator's modules import. */
export function realRoutes(): Route[] {
  return controllersOf(AppModule).flatMap((controller) => {
    const base = Reflect.getMetadata('path', controller) as string;
    const members = membersOf(controller.prototype as object);
    return members.flatMap(([name, { value: handler }]: [string, { value?: object }]) => {
      const method = handler && (Reflect.getMetadata('method', handler) as RequestMethod | undefined);
      if (method === undefined) return [];
      const path = joined(base, Reflect.getMetadata('path', handler!) as string);
      const route = `${RequestMethod[method]} ${unprefixed.includes(path) ? '' : '/api/v1'}${path}`;
      return [{ name: route, body: bodyOf(controller, name) }];
    });
  });
}

/** The members of a controller, including inherited ones. */
function membersOf(prototype: object): [string, PropertyDescriptor][] {
  const inherited = Object.getPrototypeOf(prototype) as object | null;
  return [...Object.entries(Object.getOwnPropertyDescriptors(prototype)), ...(inherited ? membersOf(inherited) : [])];
}

function bodyOf(controller: Type, handler: string): Type | undefined {
  const args = (Reflect.getMetadata(argumentsKey, controller, handler) ?? {}) as Record<string, { index: number }>;
  const body = Object.entries(args).find(([key]) => bodyArgument.test(key))?.[1];
  if (body === undefined) return undefined;
  const types = Reflect.getMetadata('design:paramtypes', controller.prototype as object, handler) as Type[];
  return types[body.index];
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
