/**
 * Waits for work no longer than a time; the work itself goes on, and what it throws later is nobody's business.
 * @returns what it answers; undefined when that takes too long
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
