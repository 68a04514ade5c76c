/**
 * How many bytes a worker must evict of the bytes that exceed a quota, in proportion to what it holds. Workers are
 * asked one after the other, each for its part of the remaining excess: they evict whole files, so often more bytes
 * than asked for.
 * @param excess bytes that still exceed the quota
 * @param held bytes of this worker
 * @param rest bytes of this worker and of those that are asked after it
 */
export function partOf(excess: number, held: number, rest: number): number {
  if (excess <= 0 || held === 0) return 0;
  return Math.min(held, Math.ceil((excess / rest) * held));
}
