import { type AsOfExceptions } from '#runtime';

const noHistory = (what: string) => ({ why: `asOf: ${what}` });

/** Routes below `/api/v1` that do not answer from views, so that `asOf` works differently for them. */
export const asOfExceptions: AsOfExceptions = {
  '/api/v1/events': 'itself',
  '/api/v1/events/stream': 'itself',
  '/api/v1/openapi.json': 'itself',
  '/api/v1/docs': 'itself',
  '/api/v1/file_index': noHistory('the file index lives at the workers and not in the log; it has no history'),
};
