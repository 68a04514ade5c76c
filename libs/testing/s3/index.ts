export { firstTimes, type Fault, type FaultHook } from './faults.js';
export { generatedContent } from './generated-content.js';
export { type ListingHook, type ListingManners } from './listing-manners.js';
export { type S3RequestInfo } from './request-info.js';
export { S3TestServer, type LoggedRequest, type S3TestServerOptions } from './s3-test-server.js';
export { type S3TestCredentials } from './sigv4.js';
export { SwiftServer } from './swift-server.js';
