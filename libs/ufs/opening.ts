import type { UfsConnector, UfsLocation, UfsTuning } from './types.js';

/** The half of a connector that opens locations. `declaration.ts` is the other half. */
export interface ConnectorOpening {
  /** Checks a location and its options without any I/O. @throws UfsError `Invalid` naming the option */
  validate(location: UfsLocation): void;
  open(location: UfsLocation, tuning: UfsTuning): UfsConnector;
  /** As `probeUfs`. */
  probe(location: UfsLocation, tuning: UfsTuning, signal: AbortSignal): Promise<string | undefined>;
}
