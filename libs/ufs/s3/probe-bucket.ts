import { printable } from '../names.js';
import { UfsError, type UfsLocation, type UfsTuning } from '../types.js';
import { S3Connector } from './s3-connector.js';

/**
 * Requests the first key of a mount: one request.
 * @returns a sentence where the bucket does not exist, refuses the listing or does not answer, or where nothing lies
 *   below the mount's prefix
 */
export async function probeBucket(
  location: UfsLocation,
  tuning: UfsTuning,
  signal: AbortSignal,
): Promise<string | undefined> {
  const connector = new S3Connector(location, tuning);
  try {
    const page = await connector.list(location.ufs, { limit: 1, signal });
    const isEmpty = page.objects.length + page.rejected.length === 0 && page.next === undefined;
    const hasPrefix = /^s3:\/\/[^/]+\/./.test(location.ufs);
    return isEmpty && hasPrefix ? `Nothing is there yet: ${printable(location.ufs)}.` : undefined;
  } catch (error) {
    if (!(error instanceof UfsError)) throw error;
    if (error.code !== 'Aborted') return error.message;
    return `The endpoint did not answer in time: ${printable(location.ufs)}.`;
  } finally {
    await connector.close();
  }
}
