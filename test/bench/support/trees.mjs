// Directories of files to load, and the page cache below them.
import fs from 'node:fs';
import path from 'node:path';

/**
 * Makes `count` files of `size` bytes, each with content of its own, in a hundred directories.
 * @returns `keys` are the paths below `directory`, sorted as an S3 listing sorts them
 */
export function makeTree(parent, name, count, size) {
  const directory = path.join(parent, name);
  const block = Buffer.alloc(size);
  for (let i = 0; i < size; i += 4) block.writeUInt32LE(Math.imul(i + 1, 2654435761) >>> 0, i);
  const keys = [];
  for (let i = 0; i < count; i++) {
    const key = path.posix.join(String(i % 100), `${i}.bin`);
    const file = path.join(directory, key);
    if (i < 100) fs.mkdirSync(path.dirname(file), { recursive: true });
    block.writeUInt32LE(i, 0);
    fs.writeFileSync(file, block);
    keys.push(key);
  }
  return { name, directory, files: count, bytes: count * size, keys: keys.sort() };
}

/** Reads every file once, so that the first participant does not pay for reading them from the disk. */
export function warmPageCache({ directory, keys }) {
  const block = Buffer.alloc(1024 * 1024);
  for (const key of keys) {
    const file = fs.openSync(path.join(directory, key), 'r');
    while (fs.readSync(file, block) === block.length);
    fs.closeSync(file);
  }
}
