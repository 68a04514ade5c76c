import { DomainError } from '#kernel';
import { EXIT_REFUSED, Refusal } from '#process';

/** Something was found wrong, or failed. */
export const failedExitCode = 1;
/** The command was not understood. */
export const usageExitCode = 2;

/** What a command throws that has printed what it found. */
export class FoundWrong extends Error {
  override readonly name = 'FoundWrong';
}

/** Refusals that say what a backup is, not how things are set up. */
const aboutTheBackup: readonly string[] = ['backup-damaged', 'backup-tampered', 'backup-empty'];

/** 78 (as things are set up, trying again would not help) or 1. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Refusal) return EXIT_REFUSED;
  const refused = error instanceof DomainError && (error.kind === 'Refused' || error.kind === 'Malformed');
  return refused && !aboutTheBackup.includes(error.code) ? EXIT_REFUSED : failedExitCode;
}
