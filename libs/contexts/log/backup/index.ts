export * from './backup-format.js';
export * from './read-backup.js';
export * from './restore-backup.js';
export * from './write-backup.js';
