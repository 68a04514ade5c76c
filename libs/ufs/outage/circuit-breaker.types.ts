/** Permission to send one request. Valid for the time between two openings. */
export interface Passage {
  readonly epoch: number;
}

/** A request that tests the store when it is in doubt. */
export interface Canary {
  /** Whether it uses the breaker's own verb: only then does its success prove that the verb works. */
  speaksForVerb(): boolean;
  /** @throws UfsError */
  ask(): Promise<void>;
}
