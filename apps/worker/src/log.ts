import type { LoggerService } from '@nestjs/common';
import { pino, type Logger } from 'pino';

/** JSON lines on stdout. Nothing that may hold a secret is ever given to it: no options, no configuration, no URL. */
export function createLogger(level: string): Logger {
  return pino({ level, base: { process: 'worker' } });
}

/** Nest's own lines among ours, its start-up chatter at `debug`. */
export function nestLogger(logger: Logger): LoggerService {
  const write =
    (level: 'debug' | 'warn' | 'error') =>
    (message: unknown, ...details: unknown[]) => {
      logger[level]({ details: details.length > 0 ? details : undefined }, String(message));
    };
  return {
    log: write('debug'),
    debug: write('debug'),
    verbose: write('debug'),
    warn: write('warn'),
    error: write('error'),
    fatal: write('error'),
  };
}
