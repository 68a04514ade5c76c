import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A directory for each test of the file, removed after it. */
export function temporaryDirectory(): { path: string; write(name: string, text: string): string } {
  const directory = {
    path: '',
    /** @returns the file's full path */
    write(name: string, text: string): string {
      const file = path.join(directory.path, name);
      fs.writeFileSync(file, text);
      return file;
    },
  };
  beforeEach(() => {
    directory.path = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'larder-standalone-')));
  });
  afterEach(() => fs.rmSync(directory.path, { recursive: true, force: true }));
  return directory;
}
