import { DomainError } from '#kernel';
import { EXIT_REFUSED, Refusal } from '#process';

/** The command failed, or found something wrong. */
export const failedExitCode = 1;
/** The command line is not valid. */
export const usageExitCode = 2;

/** Thrown by a command that found something wrong and has already printed it. */
export class FoundWrong extends Error {
  override readonly name = 'FoundWrong';
}

/** Refusals because of the content of a backup, not because of the settings. */
const aboutTheBackup: readonly string[] = ['backup-damaged', 'backup-tampered', 'backup-empty'];

/** 78 (another attempt with the same settings would not help) or 1. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Refusal) return EXIT_REFUSED;
  const refused = error instanceof DomainError && (error.kind === 'Refused' || error.kind === 'Malformed');
  return refused && !aboutTheBackup.includes(error.code) ? EXIT_REFUSED : failedExitCode;
}
