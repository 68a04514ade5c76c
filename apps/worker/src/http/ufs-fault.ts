import { Catch, type ArgumentsHost } from '@nestjs/common';
import { DomainError } from '#kernel';
import { StatusFilter } from '#runtime';
import { StoreWaiting, UfsError } from '#ufs';

/** The answer to a reader when the UFS does not give an object, or breaks off before its first byte was passed on. */
@Catch(UfsError)
export class UfsFaultFilter extends StatusFilter {
  override catch(error: UfsError, host: ArgumentsHost): void {
    super.catch(faultOf(error), host);
  }
}

function faultOf(error: UfsError): DomainError {
  const { message, retryAfterMs } = error;
  const details = (httpStatus: number) => ({ httpStatus, cause: error });
  // The store as a whole fails: the reader should come again, but not at once.
  if (isStores(error)) return new DomainError('Unavailable', 'ufs-waiting', message, { retryAfterMs, cause: error });
  switch (error.code) {
    case 'NotFound':
    case 'IsDirectory':
    case 'Outside':
      return new DomainError('NotFound', 'ufs-not-found', message);
    case 'Forbidden':
      return new DomainError('Refused', 'ufs-forbidden', message, details(403));
    case 'Timeout':
      return new DomainError('Unavailable', 'ufs-timeout', message, details(504));
    case 'Changed':
    case 'Truncated':
    case 'Throttled':
    case 'Unavailable':
    case 'TooLarge':
    case 'Invalid':
    case 'Aborted':
      return new DomainError('Unavailable', 'ufs-unavailable', message, details(502));
  }
}

function isStores(error: UfsError): boolean {
  return error instanceof StoreWaiting ? !error.wasSent || error.fault.blame === 'store' : error.blame === 'store';
}
