import { open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { PRIVATE_FILE_MODE } from '#private-files';
import { z } from 'zod';

/** Stores by bucket; a store's number is its place. */
export type NumberedStores = Record<string, string[]>;

const schema = z.strictObject({ v: z.literal(1), stores: z.record(z.string(), z.array(z.string())) });

/** The file beside a cache with the numbers that stores have in its keys. */
export class StoresFile {
  private readonly file: string;

  constructor(private readonly directory: string) {
    this.file = path.join(directory, 'stores.json');
  }

  /** Undefined where none was written yet. @throws Error for one that cannot be read */
  async read(): Promise<NumberedStores | undefined> {
    let text: string;
    try {
      text = await readFile(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    return schema.parse(JSON.parse(text)).stores;
  }

  /** Writes the file as a whole or not at all; durable when it resolves. */
  async write(stores: NumberedStores): Promise<void> {
    const temporary = `${this.file}.new`;
    await synced(temporary, 'w', (handle) => handle.writeFile(`${JSON.stringify({ v: 1, stores })}\n`));
    await rename(temporary, this.file);
    await synced(this.directory, 'r');
  }
}

type Handle = Awaited<ReturnType<typeof open>>;

async function synced(name: string, flags: string, work?: (handle: Handle) => Promise<void>): Promise<void> {
  const handle = await open(name, flags, PRIVATE_FILE_MODE);
  try {
    await work?.(handle);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
