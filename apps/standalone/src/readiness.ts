import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;
const REQUEST_TIMEOUT_MS = 2000;

/**
 * Waits until every coordinator is ready (`GET /readyz` answers 200) and the first one counts enough workers ONLINE.
 * @param coordinators base URLs
 * @throws the signal's reason when it is aborted
 */
export async function untilReady(coordinators: readonly string[], workers: number, signal: AbortSignal): Promise<void> {
  for (const url of coordinators) await until(() => answersOk(`${url}/readyz`), signal);
  await until(async () => (await onlineWorkers(coordinators[0])) >= workers, signal);
}

async function until(condition: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  while (!(await condition())) await sleep(POLL_MS, undefined, { signal });
}

async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    // Not listening yet: that is what is being waited for.
    return false;
  }
}

async function onlineWorkers(url: string): Promise<number> {
  try {
    const response = await fetch(`${url}/api/v1/nodes`, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    const { result = [] } = (await response.json()) as { result?: { status: string }[] };
    return result.filter(({ status }) => status === 'ONLINE').length;
  } catch {
    // The coordinator may be on its way up again.
    return 0;
  }
}
