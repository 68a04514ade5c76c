import { RE2JS } from 're2js';
import { DomainError } from '#kernel';

/**
 * The filter of a load: an RE2 pattern (linear time on any input, so no pattern can stall a coordinator) that must
 * match a file's whole name. A pattern that holds a `/` may also match the whole UFS path instead.
 * @throws DomainError Malformed naming the option
 */
export function fileFilter(pattern: string): (path: string) => boolean {
  if (pattern === '') return () => true;
  const compiled = compile(pattern);
  const matchesPath = pattern.includes('/');
  return (path) =>
    compiled.matches(path.slice(path.lastIndexOf('/', path.length - 2) + 1)) || (matchesPath && compiled.matches(path));
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new DomainError(
      'Malformed',
      'bad-file-filter',
      `options.fileFilterRegex must be a regular expression in RE2 syntax (no back-references or look-around): ${detail}`,
      { cause },
    );
  }
}
