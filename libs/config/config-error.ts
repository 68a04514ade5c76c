import { Refusal } from '#process';

/** The configuration is wrong. A process that meets this reports it and exits with `EXIT_REFUSED`. */
export class ConfigError extends Refusal {
  override readonly name = 'ConfigError';

  /** @param problems one sentence for each wrong variable, naming it; never holds a secret. */
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}
