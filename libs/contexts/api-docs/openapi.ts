import type { Schema } from '#schema';

/** The part of OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0) that this document uses. */

export type { Schema } from '#schema';

export interface Media {
  schema: Schema;
  /** One or several bodies by a name. */
  examples?: Readonly<Record<string, { value: unknown }>>;
}

export interface Parameter {
  name: string;
  in: 'query' | 'path' | 'header';
  description: string;
  required?: boolean;
  schema: Schema;
}

export interface Header {
  description: string;
  schema: Schema;
}

export interface ApiResponse {
  description: string;
  headers?: Readonly<Record<string, Header>>;
  content?: Readonly<Record<string, Media>>;
}

export interface Operation {
  operationId: string;
  tags: readonly [string];
  summary: string;
  description?: string;
  parameters?: readonly Parameter[];
  requestBody?: { required: boolean; content: Readonly<Record<string, Media>> };
  responses: Readonly<Record<string, ApiResponse>>;
}

export const methods = ['get', 'post', 'put', 'delete'] as const;
export type Method = (typeof methods)[number];
export type PathItem = Readonly<Partial<Record<Method, Operation>>>;
export type Paths = Readonly<Record<string, PathItem>>;

export interface Document {
  openapi: '3.1.0';
  info: { title: string; version: string; description: string };
  servers: readonly { url: string }[];
  tags: readonly { name: string; description: string }[];
  paths: Paths;
  components: { schemas: Readonly<Record<string, Schema>> };
}

export const json = 'application/json';
