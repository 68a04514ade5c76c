import '#node-version';

// Only now: what follows may not even load on an old Node.
void import('./run.js');
