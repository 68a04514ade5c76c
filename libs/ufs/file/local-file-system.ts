import { statfs } from 'node:fs/promises';

/**
 * File systems on this machine's own disks or memory, by the magic numbers of statfs(2) (`linux/magic.h`). A call to
 * them may take milliseconds but does not hang; one to a network file system may hang for ever.
 */
const localTypes: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // btrfs
  0x2fc12fc1, // ZFS
  0xf2f52010, // F2FS
  0x01021994, // tmpfs
  0x858458f6, // ramfs
  0x794c7630, // overlayfs
]);

/** False also where it is unknown. */
export async function isLocalFileSystem(directory: string | Buffer): Promise<boolean> {
  try {
    // The field is signed on some platforms.
    return localTypes.has((await statfs(directory)).type >>> 0);
  } catch {
    // The read that follows reports what is wrong with the directory.
    return false;
  }
}
