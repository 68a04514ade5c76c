import { runCommandLine } from './command-line.js';
import { failedExitCode } from './exit-codes.js';

// A reader that closes the pipe early (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : failedExitCode));
process.exitCode = await runCommandLine(process.argv.slice(2));
