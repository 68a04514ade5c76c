import { type ApiClient } from '#testing';

interface Quarantine {
  readonly count: number;
  readonly unacknowledged: number;
}

/** The report of void messages in `/readyz` of a coordinator. Undefined if it knows of none. */
export async function quarantineOf(api: ApiClient): Promise<Quarantine | undefined> {
  const answer = await fetch(new URL('/readyz', api.baseUrl));
  return ((await answer.json()) as { quarantine?: Quarantine }).quarantine;
}

/** The whole body of `GET /mount`. */
export async function mountsOf(api: ApiClient): Promise<{ path: string; ufs: string }[]> {
  const { status, body } = await api.request<{ results: { path: string; ufs: string }[] }>('GET', '/mount');
  if (status !== 200) throw new Error(`GET /mount answered ${status}`);
  return body.results;
}
