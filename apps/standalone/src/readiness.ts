import { until } from '#async';

const POLL_MS = 100;
const REQUEST_TIMEOUT_MS = 2000;

/**
 * Waits until every coordinator is ready (`GET /readyz` answers 200) and the first one knows enough workers that
 * are ONLINE and answer. (After a quick restart, the log may still hold old addresses of workers.)
 * @param coordinators base URLs
 * @returns the addresses of the workers that are ONLINE
 * @throws the signal's reason when it is aborted
 */
export async function untilReady(
  coordinators: readonly string[],
  workers: number,
  signal: AbortSignal,
): Promise<string[]> {
  for (const url of coordinators) await until(() => answersOk(`${url}/readyz`), POLL_MS, signal);
  let online: string[] = [];
  await until(
    async () => {
      online = await onlineWorkers(coordinators[0]);
      return online.length >= workers;
    },
    POLL_MS,
    signal,
  );
  return online;
}

async function answersOk(url: string): Promise<boolean> {
  return (await statusOf(url)) === 200;
}

/** The HTTP status of the answer; undefined without an answer. */
async function statusOf(url: string): Promise<number | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    // Not listening yet: the caller waits for that.
    return undefined;
  }
}

async function onlineWorkers(url: string): Promise<string[]> {
  try {
    const response = await fetch(`${url}/api/v1/nodes`, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    const { result = [] } = (await response.json()) as { result?: { address: string; status: string }[] };
    const online = result.filter(({ status }) => status === 'ONLINE').map(({ address }) => address);
    const answers = await Promise.all(online.map((address) => statusOf(`http://${address}/`)));
    return online.filter((_, index) => answers[index] !== undefined);
  } catch {
    // The coordinator may be restarting.
    return [];
  }
}
