import { OptionalRecord, OptionalText, RequiredRecord, RequiredText } from '#runtime';
import { ufsExamples } from '../index.js';

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

const namespacePath = 'Namespace path, begins with /.';

export class CreateMountDto {
  @RequiredText(namespacePath)
  path: string;

  @RequiredText(`UFS root: ${ufsExamples('root')}.`)
  ufs: string;

  @OptionalRecord(
    `Of the UFS, at most ${maxOptions}. All values but those that are known to be harmless are encrypted before they are stored.`,
    maxOptionLength,
    optionsFault,
  )
  options?: Record<string, string>;
}

export class ReplaceMountOptionsDto {
  @RequiredText(namespacePath)
  path: string;

  @OptionalText('May be given, and must then be that of the mount.')
  ufs?: string;

  @RequiredRecord('As for POST. All of them.', maxOptionLength, optionsFault)
  options: Record<string, string>;
}

export class DeleteMountDto {
  @RequiredText(namespacePath)
  path: string;
}
