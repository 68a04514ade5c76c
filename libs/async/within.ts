/**
 * Waits for work, but no longer than a time. The work itself goes on after that, and its later errors are ignored.
 * @returns its result; undefined when it takes too long
 * @throws what it throws in that time
 */
export async function within<T>(work: Promise<T>, limitMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(resolve, limitMs, undefined)));
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
