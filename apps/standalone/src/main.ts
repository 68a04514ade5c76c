import '#node-version';

// Files that libraries and child processes create must be readable by the owner only, too.
process.umask(0o077);
// Imported late, because this module may not load on an old Node.
void import('./run.js').then(({ run }) => run(import.meta.dirname));
