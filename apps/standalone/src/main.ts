import '#node-version';

// What libraries and other programs create on this process's behalf is for nobody else to read either.
process.umask(0o077);
// Only now: what follows may not even load on an old Node.
void import('./run.js');
