import { SUPERVISED } from './settings.js';

/**
 * Ends this process when its supervisor is gone, even after a kill -9: the supervisor holds the other end of an IPC
 * channel, and the operating system closes it with the supervisor. Does nothing in a process that was started alone.
 *
 * @param stop stops the process in good order; it gets `graceMs`, then the process exits all the same.
 */
export function exitWithSupervisor(stop: () => Promise<void> | void = () => {}, graceMs = 4000): void {
  if (process.env[SUPERVISED] !== '1' || !process.channel) return;
  // The channel alone must not keep the process alive.
  process.channel.unref();
  process.once('disconnect', () => {
    setTimeout(() => process.exit(1), graceMs).unref();
    void Promise.resolve()
      .then(stop)
      .finally(() => process.exit(1));
  });
}
