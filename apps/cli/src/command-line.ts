import { Command, CommanderError } from 'commander';
import { addAudit } from './commands/audit.command.js';
import { addBackup } from './commands/backup.command.js';
import { addNatsAccounts } from './commands/nats-accounts.command.js';
import { addKeys } from './commands/keys.command.js';
import { addReplay } from './commands/replay.command.js';
import { addRestore } from './commands/restore.command.js';
import { exitCodeOf, failedExitCode, FoundWrong, usageExitCode } from './exit-codes.js';
import { note } from './output.js';

/** Runs one command. @returns the exit code; never rejects */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const program = new Command('larder')
    .description('Backs up, restores, verifies and replays the log of a Larder cluster.')
    .exitOverride();
  for (const add of [addBackup, addRestore, addAudit, addKeys, addReplay, addNatsAccounts]) add(program);
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof FoundWrong) return failedExitCode;
    // commander has already printed its message. Requested help ends with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageExitCode;
    note(`larder: ${error instanceof Error ? error.message : String(error)}`);
    return exitCodeOf(error);
  }
}
