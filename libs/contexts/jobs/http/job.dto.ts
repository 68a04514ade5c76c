import { OptionalText, OptionalTexts, RequiredText, type NumberRange } from '#runtime';

const maxPaths = 10_000;
const maxAliasLength = 128;

export const batchSizes: NumberRange = { max: 1_000_000, unit: 'files' };
export const bandwidths: NumberRange = { unit: 'bytes per second' };

/** Exactly one of `paths` and `index`; that rule is the request's, not a field's. */
export class PathsDto {
  @OptionalTexts(maxPaths, 'a longer list belongs into an index file')
  paths?: string[];

  @OptionalText()
  index?: string;

  @OptionalText(maxAliasLength)
  alias?: string;
}

export class JobIdDto {
  @RequiredText()
  id: string;
}
