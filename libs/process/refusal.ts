/** A process cannot run as it is set up; starting it again would not help. The message is one sentence for people. */
export class Refusal extends Error {
  override readonly name: string = 'Refusal';
}

/**
 * Exit code of a process that refuses to run as it is set up (EX_CONFIG of sysexits.h): a supervisor must not retry.
 */
export const EXIT_REFUSED = 78;
