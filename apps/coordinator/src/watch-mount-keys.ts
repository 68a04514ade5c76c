import type { Logger } from 'pino';
import { namespaceBoundary, namespaceView, tellClosed, type MountKeys } from '#contexts/namespace';
import type { Views } from '#runtime';

/** Logs the mounts that this process has no key for: now, and whenever the mount table changes. */
export function watchMountKeys(views: Views, keys: MountKeys, logger: Logger): void {
  const tell = tellClosed(({ path, keyId, sentence }) => logger.error({ mount: path, keyId }, sentence));
  const look = () => tell(keys.look(views.get(namespaceView).state.mounts));
  look();
  views.onCommit(({ boundary }) => {
    if (boundary === namespaceBoundary.name) look();
  });
}
