import { IsDefined, IsNotEmpty, IsOptional, IsString, Validate, ValidatorConstraint } from 'class-validator';
import type { ValidatorConstraintInterface } from 'class-validator';

const maxOptions = 64;
const maxOptionLength = 4096;

@ValidatorConstraint({ name: 'stringRecord' })
class StringRecord implements ValidatorConstraintInterface {
  validate(value: unknown): boolean {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const entries = Object.entries(value);
    return (
      entries.length <= maxOptions &&
      entries.every(([name, text]) => name !== '' && typeof text === 'string' && text.length <= maxOptionLength)
    );
  }

  defaultMessage(): string {
    return `options must be an object of at most ${maxOptions} strings of at most ${maxOptionLength} characters each`;
  }
}

export class CreateMountDto {
  @IsDefined()
  @IsString()
  @IsNotEmpty()
  path: string;

  @IsDefined()
  @IsString()
  @IsNotEmpty()
  ufs: string;

  @IsOptional()
  @Validate(StringRecord)
  options?: Record<string, string>;
}

export class DeleteMountDto {
  @IsDefined()
  @IsString()
  @IsNotEmpty()
  path: string;
}
