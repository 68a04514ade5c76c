/** An error answer of S3 (Amazon S3 API reference, Error responses). */
export class S3Error extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** Further elements of the answer's body, such as `Region`. */
    readonly details: Record<string, string> = {},
  ) {
    super(message);
  }
}

export const noSuchKey = (): S3Error => new S3Error(404, 'NoSuchKey', 'The specified key does not exist.');
export const noSuchBucket = (): S3Error => new S3Error(404, 'NoSuchBucket', 'The specified bucket does not exist.');
