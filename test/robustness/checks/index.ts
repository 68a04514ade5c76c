import * as answers from './answers.js';
import type { Check } from './check.js';
import * as forgeries from './forgeries.js';
import * as jobs from './jobs.js';
import * as registers from './registers.js';
import * as storage from './storage.js';
import * as writes from './writes.js';

export type { Check, Evidence } from './check.js';

/** The checks of all promises, by their names in docs/robustness.md. */
export const checks: Readonly<Record<string, Check>> = {
  noAccidents: answers.noAccidents,
  nothingHangs: answers.nothingHangs,
  leaversAnswer: answers.leaversAnswer,
  onlyKnownStatuses: answers.onlyKnownStatuses,
  neverNotFound: answers.neverNotFound,
  eventsAreTheLog: answers.eventsAreTheLog,
  acknowledgedOnce: writes.acknowledgedOnce,
  chainUnbroken: writes.chainUnbroken,
  everyJobEnds: jobs.everyJobEnds,
  allAgree: jobs.allAgree,
  oneWinner: jobs.oneWinner,
  countersNeverFall: jobs.countersNeverFall,
  countsAddUp: jobs.countsAddUp,
  neighboursGoOn: jobs.neighboursGoOn,
  readsAreFresh: registers.readsAreFresh,
  thePastStands: registers.thePastStands,
  sequencesNeverFall: registers.sequencesNeverFall,
  mountsNeverConflict: registers.mountsNeverConflict,
  cacheEqualsSource: storage.cacheEqualsSource,
  oneVersionEach: storage.oneVersionEach,
  readsAreBounded: storage.readsAreBounded,
  secretsStaySecret: storage.secretsStaySecret,
  nothingOutside: storage.nothingOutside,
  nothingForgedCounts: forgeries.nothingForgedCounts,
};
