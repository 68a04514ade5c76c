import { abortable } from './aborted.js';

/** Waits so long. @throws the signal's reason */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  try {
    await (signal ? abortable(over, signal) : over);
  } finally {
    clearTimeout(timer);
  }
}
