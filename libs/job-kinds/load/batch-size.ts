import type { LoadSpec } from './spec.js';

/** A stretch gives each worker two batches or more: after so many, a batch is a small part of what a worker has done. */
const stepsPerGrowth = 25;
const mostTimes = 5;

/**
 * Files per batch, by how many stretches of the source are planned already. What a batch costs is the same for any number
 * of files: a message, a report in the log, signatures. So a long job uses batches up to five times as large, unless its
 * client has named a number. Small batches at the beginning share a short job out evenly.
 */
export function batchSizeAt(steps: number, { batchGrows, options }: Pick<LoadSpec, 'batchGrows' | 'options'>): number {
  const { batchSize } = options;
  return batchGrows ? batchSize * Math.min(mostTimes, 1 + Math.floor(steps / stepsPerGrowth)) : batchSize;
}
