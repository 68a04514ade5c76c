/**
 * How much of a quota each worker may hold: by what it holds, so that all of them let go of the same part. The shares come
 * to no more than the quota.
 * @param held by each worker, in bytes
 */
export function sharesOf(quotaBytes: number, held: readonly number[]): number[] {
  const total = held.reduce((sum, bytes) => sum + bytes, 0);
  if (total <= quotaBytes) return [...held];
  return held.map((bytes) => Math.floor((bytes / total) * quotaBytes));
}
