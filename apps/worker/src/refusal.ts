/** The worker cannot run as it is set up; starting it again would not help. The message is one sentence for people. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}
