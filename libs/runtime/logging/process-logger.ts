import { pino, type Logger } from 'pino';

/**
 * JSON lines on standard output: the level by its name, the time as ISO 8601 in UTC. Nothing that may hold a secret is
 * ever given to it: no options of mounts, no configuration, no URL with its query, no header but those named in
 * `request-lines.ts`.
 */
export function createLogger(process: 'coordinator' | 'worker', level: string): Logger {
  return pino({
    level,
    base: { process },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}
