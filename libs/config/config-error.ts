/** The configuration is wrong. A process that meets this says so and exits with `EXIT_REFUSED`. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  /** @param problems one sentence for each wrong variable, naming it; never holds a secret. */
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/**
 * Exit code of a process that refuses to run as it is set up (EX_CONFIG of sysexits.h): starting it again would not
 * help, so a supervisor must not.
 */
export const EXIT_REFUSED = 78;
