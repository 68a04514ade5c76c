import { ArrayMaxSize, IsArray, IsOptional, IsString, MaxLength, MinLength } from 'class-validator';

/** Longer lists belong into an index file. */
const maxPaths = 10_000;
const maxAliasLength = 128;

/** Exactly one of `paths` and `index`; that rule is the request's, not a field's. */
export class PathsDto {
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(maxPaths)
  @IsString({ each: true })
  @MinLength(1, { each: true })
  paths?: string[];

  @IsOptional()
  @IsString()
  index?: string;

  @IsOptional()
  @IsString()
  @MaxLength(maxAliasLength)
  alias?: string;
}
