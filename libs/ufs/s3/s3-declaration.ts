import type { ConnectorDeclaration } from '../declaration.js';
import { isBucketName, s3Options } from './s3-options.js';
import { s3Store } from './s3-store.js';

export const s3Declaration = {
  scheme: 's3',
  aliases: ['s3a'],
  examples: { path: 's3://bucket/dir', root: 's3://bucket/prefix' },
  authorityFault: (authority) =>
    isBucketName(authority) ? undefined : { code: 'bad-bucket', sentence: 'names no valid S3 bucket' },
  storeOf: s3Store,
  options: s3Options,
} as const satisfies ConnectorDeclaration;
