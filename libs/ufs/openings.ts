import type { UfsSchemeName } from './declarations/index.js';
import { fileOpening } from './file/file-opening.js';
import type { ConnectorOpening } from './opening.js';
import { s3Opening } from './s3/s3-opening.js';

/** The opening half of each declared connector. */
export const openings: Readonly<Record<UfsSchemeName, ConnectorOpening>> = { file: fileOpening, s3: s3Opening };
