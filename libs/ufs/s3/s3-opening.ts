import type { ConnectorOpening } from '../opening.js';
import { probeBucket } from './probe-bucket.js';
import { S3Connector } from './s3-connector.js';
import { checkS3Options, s3Settings } from './s3-settings.js';

export const s3Opening: ConnectorOpening = {
  validate(location) {
    checkS3Options(location);
    s3Settings(location);
  },
  open: (location, tuning) => new S3Connector(location, tuning),
  probe: probeBucket,
};
