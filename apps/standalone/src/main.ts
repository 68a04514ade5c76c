import '#node-version';

// Libraries and child processes create files too: only the owner may read those.
process.umask(0o077);
// Only now: what follows may not even load on an old Node.
void import('./run.js').then(({ run }) => run());
