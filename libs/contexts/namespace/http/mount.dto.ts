import { OptionalRecord, OptionalText, RequiredText } from '#runtime';

const maxOptions = 64;
const maxOptionLength = 4096;
const shownName = 200;

function optionsFault(options: object): string | undefined {
  const entries = Object.entries(options) as [string, unknown][];
  if (entries.length > maxOptions) return `must hold no more than ${maxOptions} entries`;
  for (const [name, value] of entries) {
    if (name === '') return 'must not hold an option without a name';
    if (typeof value !== 'string') return `.${name.slice(0, shownName)} must be a string`;
    if (value.length > maxOptionLength) {
      return `.${name.slice(0, shownName)} must not be longer than ${maxOptionLength} characters`;
    }
  }
  return undefined;
}

export class CreateMountDto {
  @RequiredText()
  path: string;

  @RequiredText()
  ufs: string;

  @OptionalRecord(optionsFault)
  options?: Record<string, string>;
}

export class ReplaceMountOptionsDto {
  @RequiredText()
  path: string;

  @OptionalText()
  ufs?: string;

  @OptionalRecord(optionsFault)
  options?: Record<string, string>;
}

export class DeleteMountDto {
  @RequiredText()
  path: string;
}
