/** The system's name of an error. Avoids `instanceof Error`: a test runner's sandbox has an `Error` of its own. */
export function errnoOf(error: unknown): string | undefined {
  const isObject = typeof error === 'object' && error !== null;
  return isObject && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
