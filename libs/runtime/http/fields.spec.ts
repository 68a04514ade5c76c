import 'reflect-metadata';
import { type Type } from '@nestjs/common';
import {
  OptionalFlag,
  OptionalNumber,
  OptionalObject,
  OptionalRecord,
  OptionalText,
  OptionalTexts,
  RequiredNumber,
  RequiredText,
  RequiredTexts,
} from './fields.js';
import { requestSchemaOf } from './schema.js';
import { validationPipe } from './validation.js';

class InnerDto {
  @OptionalNumber('Bytes/s.', { unit: 'bytes per second' })
  bandwidth?: number;

  @OptionalNumber('Copies.', { max: 16 })
  replicas?: number;

  @OptionalFlag('Wait.')
  sync?: boolean;

  @OptionalText('A file.', 3)
  index?: string;
}

class OuterDto {
  @OptionalTexts('Paths.', 2, 'a longer list belongs elsewhere')
  paths?: string[];

  @OptionalObject(() => InnerDto)
  options?: InnerDto;

  @OptionalRecord('Options.', 9, (record) => ('bad' in record ? '.bad must be good' : undefined))
  record?: object;
}

class RequiredDto {
  @RequiredText('A name.')
  name: string;

  @RequiredNumber('Seconds.', { min: 1, unit: 'seconds' })
  seconds: number;

  @RequiredTexts('Files.', 2)
  files: string[];
}

const validate = (metatype: Type, value: unknown): Promise<unknown> =>
  validationPipe().transform(value, { type: 'body', metatype }) as Promise<unknown>;

it.each<[unknown, string]>([
  [{ paths: 'x' }, 'paths must be a list of strings'],
  [{ paths: { 0: 'x' } }, 'paths must be a list of strings'],
  [{ paths: ['a', 5] }, 'paths[1] must be a string'],
  [{ paths: ['a', ''] }, 'paths[1] must not be empty'],
  [{ paths: ['a', 'b', 'c'] }, 'paths must hold no more than 2 entries; a longer list belongs elsewhere'],
  [{ options: 'x' }, 'options must be an object'],
  [{ options: [] }, 'options must be an object'],
  [{ options: [{}] }, 'options must be an object'],
  [{ options: { bandwidth: '10MB' } }, 'options.bandwidth must be a whole number of bytes per second'],
  [{ options: { bandwidth: 0.5 } }, 'options.bandwidth must be a whole number of bytes per second'],
  [
    { options: { bandwidth: -1 } },
    'options.bandwidth must be a whole number of bytes per second from 0 to 9007199254740991',
  ],
  [{ options: { replicas: '3' } }, 'options.replicas must be a whole number'],
  [{ options: { replicas: 17 } }, 'options.replicas must be a whole number from 0 to 16'],
  [{ options: { sync: 'true' } }, 'options.sync must be true or false'],
  [{ options: { index: 5 } }, 'options.index must be a string'],
  [{ options: { index: 'abcd' } }, 'options.index must not be longer than 3 characters'],
  [{ record: 'x' }, 'record must be an object'],
  [{ record: { bad: 1 } }, 'record.bad must be good'],
  [
    { paths: 5, options: { sync: 1, replicas: true } },
    'paths must be a list of strings; options.replicas must be a whole number; options.sync must be true or false',
  ],
])('the error for %j is: %s', async (value, sentence) => {
  await expect(validate(OuterDto, value)).rejects.toMatchObject({ kind: 'Malformed', message: sentence });
});

it.each<[unknown, string]>([
  [{ name: '', seconds: 1, files: [] }, 'Required parameters not provided'],
  [{ seconds: 'x', files: 5 }, 'Required parameters not provided'],
  [{ name: 'a', seconds: null, files: [] }, 'Required parameters not provided'],
  [{ name: 5, seconds: 1, files: [] }, 'name must be a string'],
  [{ name: 'a', seconds: '600', files: [] }, 'seconds must be a whole number of seconds'],
  [{ name: 'a', seconds: 0, files: [] }, 'seconds must be a whole number of seconds from 1 to 9007199254740991'],
  [{ name: 'a', seconds: 1, files: [null] }, 'files[0] must be a string'],
])('the error for required fields in %j is: %s', async (value, sentence) => {
  await expect(validate(RequiredDto, value)).rejects.toMatchObject({ kind: 'Malformed', message: sentence });
});

it('null counts as a missing field, and unknown fields are dropped', async () => {
  const value = { paths: null, options: { sync: true, other: 1 }, record: { a: 1 }, toString: 'x' };
  const dto = await validate(OuterDto, value);
  expect(dto).toEqual({ paths: null, options: { sync: true }, record: { a: 1 } });
});

it('the schema of a body tells the type of its fields', () => {
  expect(requestSchemaOf(OuterDto)).toEqual({
    type: 'object',
    properties: {
      paths: { type: 'array', items: { type: 'string', minLength: 1 }, maxItems: 2, description: 'Paths.' },
      options: {
        type: 'object',
        properties: {
          bandwidth: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'Bytes/s.' },
          replicas: { type: 'integer', minimum: 0, maximum: 16, description: 'Copies.' },
          sync: { type: 'boolean', description: 'Wait.' },
          index: { type: 'string', maxLength: 3, description: 'A file.' },
        },
      },
      record: { type: 'object', additionalProperties: { type: 'string', maxLength: 9 }, description: 'Options.' },
    },
  });
});

it('the schema of a body names required fields, and has the fields of the class that it extends', () => {
  class MoreDto extends RequiredDto {
    @RequiredNumber('More.', { max: 1 })
    more: number;
  }
  const { required, properties } = requestSchemaOf(MoreDto);
  expect(required).toEqual(['name', 'seconds', 'files', 'more']);
  expect(Object.keys(properties!)).toEqual(required);
  expect(requestSchemaOf(RequiredDto).required).toEqual(['name', 'seconds', 'files']);
});
