import type { StoreWaits } from '#ufs';
import type { SourcePage } from '../kinds/index.js';

/** The longest time that a wait for a failing store holds up the other actions of the job. */
const patienceMs = 1_000;
const lookMs = 100;

/**
 * Reads the pages of a source without blocking its caller: while a page waits for its store, `read` returns and a later
 * call gets that page.
 */
export class PageReader {
  private next: Promise<IteratorResult<SourcePage>> | undefined;

  /** @param abort ends the requests and waits of the pages */
  constructor(
    private readonly pages: AsyncGenerator<SourcePage>,
    private readonly waits: StoreWaits,
    private readonly abort: AbortController,
  ) {}

  /** Whether a page that was asked for is still to come. */
  get isPending(): boolean {
    return this.next !== undefined;
  }

  /** Undefined while the page waits for its store; the next call asks for the same page. @throws as the source does */
  async read(): Promise<IteratorResult<SourcePage> | undefined> {
    this.next ??= this.pages.next();
    // Between two calls there is no listener, and a rejection must not end the process.
    this.next.catch(() => undefined);
    let timer: NodeJS.Timeout | undefined;
    const beganMs = performance.now();
    const waiting = new Promise<undefined>((resolve) => {
      timer = setInterval(() => {
        if (this.waits.first && performance.now() - beganMs >= patienceMs) resolve(undefined);
      }, lookMs);
    });
    try {
      const page = await Promise.race([this.next, waiting]);
      if (page) this.next = undefined;
      return page;
    } finally {
      clearInterval(timer);
    }
  }

  async close(): Promise<void> {
    this.abort.abort();
    await this.pages.return(undefined);
  }
}
