import { pino, type Logger } from 'pino';

/**
 * JSON lines on standard output: the level by its name, the time as ISO 8601 in UTC. Callers never log what may hold a
 * secret: no options of mounts, no configuration, no URL with its query, and only those headers that `request-lines.ts`
 * names.
 */
export function createLogger(process: 'coordinator' | 'worker', level: string): Logger {
  return pino({
    level,
    base: { process },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}
