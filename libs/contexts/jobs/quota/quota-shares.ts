/**
 * How many bytes a worker is to let go of, of what is held beyond a quota: its part by what it holds. Workers are asked one
 * after the other, each for its part of what is still too much, because whole files go, and often more than was asked for.
 * @param excess bytes that are still too much
 * @param held by this worker
 * @param rest held by this worker and those that come after it
 */
export function partOf(excess: number, held: number, rest: number): number {
  if (excess <= 0 || held === 0) return 0;
  return Math.min(held, Math.ceil((excess / rest) * held));
}
