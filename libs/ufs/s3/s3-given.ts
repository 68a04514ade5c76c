import { UfsError, type UfsLocation } from '../types.js';
import { bucketOf, meaningOf, s3OptionTable, type S3OptionName } from './s3-options.js';

/** An option as given: the spelling that counts, for messages about it, and its value. */
export interface GivenOption {
  name: string;
  value: string;
}

/** '' counts as absent. */
export function isGiven({ options }: UfsLocation, name: string): boolean {
  return Object.hasOwn(options, name) && options[name] !== '';
}

export function readOption(location: UfsLocation, option: S3OptionName): GivenOption | undefined {
  const name = ownSpelling(location, option) ?? s3OptionTable[option].names.find((one) => isGiven(location, one));
  return name === undefined ? undefined : { name, value: location.options[name] };
}

/** Hadoop's form for one bucket. */
function ownSpelling(location: UfsLocation, option: S3OptionName): string | undefined {
  const bucket = bucketOf(location.ufs);
  return Object.keys(location.options).find((name) => {
    const meaning = meaningOf(name, bucket);
    return typeof meaning === 'object' && meaning.forBucket && meaning.option === option && isGiven(location, name);
  });
}

/** The message does not quote the value: it may be a secret in the wrong field. */
export function invalid(location: UfsLocation, name: string, sentence: string): UfsError {
  return new UfsError('Invalid', location.ufs, `The option ${name} ${sentence}.`);
}
